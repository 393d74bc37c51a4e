/** A duration in milliseconds. */
export type Millis = number;

/**
 * A point on this host's boot-time clock, in milliseconds. It goes on during a suspend, never
 * jumps with the wall clock, and means nothing on another host.
 */
export type Instant = number & { readonly __instant: unique symbol };

/** Milliseconds since the Unix epoch on the wall clock: for people and logs, never for decisions. */
export type EpochMillis = number;

export const instant = (millis: number): Instant => millis as Instant;
export const plus = (at: Instant, duration: Millis): Instant => (at + duration) as Instant;
export const since = (from: Instant, to: Instant): Millis => to - from;
export const earlier = (a: Instant, b: Instant): Instant => (a <= b ? a : b);
export const later = (a: Instant, b: Instant): Instant => (a >= b ? a : b);
