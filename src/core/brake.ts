import { ASK_MILLIS, OVERDUE_MILLIS } from './failsafe.ts';
import { isValid } from './lease.ts';
import type { HeldLease } from './lease.ts';
import { plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * The commit brake: what a primary that nobody hears acknowledges is lost with its lease, so it stops
 * acknowledging long before that, as soon as neither a heartbeat nor the promises of all members have
 * renewed the lease in time (I9).
 */

/** What is known of the brake: `held`: a commit was seen waiting; `frozen`: Postgres stands still. */
export type BrakeState = 'off' | 'held' | 'frozen';

/** `synchronous_standby_names` while commits are held: no standby has that name. */
export const BRAKE_NAMES = '"__pgbaton_brake__"';

/** A brake that has not been seen to bite within this is not counted on: Postgres is frozen. */
export const BITE_MILLIS: Millis = 100;
/** Longest wait for a guardian that freezes, before it is done without it. */
export const FREEZE_MILLIS: Millis = 150;

/** After the last renewal: one heartbeat that is overdue, and one round of questions that was not unanimous. */
const brakeAfterMillis = (heartbeatMillis: Millis): Millis =>
  heartbeatMillis + OVERDUE_MILLIS + ASK_MILLIS;

/** How long after the last renewal of its lease a primary may still acknowledge a commit. */
export const acknowledgesForMillis = (heartbeatMillis: Millis): Millis =>
  brakeAfterMillis(heartbeatMillis) + BITE_MILLIS + FREEZE_MILLIS;

export interface BrakeFacts {
  readonly now: Instant;
  readonly held: HeldLease | undefined;
  /** At which the next heartbeat was to come when the lease was last renewed, or the one in force if that is longer. */
  readonly heartbeatMillis: Millis;
  /** Postgres is a primary, or may be one. */
  readonly mayBeWritable: boolean;
  /** Whoever may lead next has every acknowledged commit: nothing is lost by going on (I5). */
  readonly losesNothing: boolean;
}

/** `leave`: neither put on nor released; an agent that adopts a lease knows too little to do either. */
export type BrakeWish = 'hold' | 'release' | 'leave';

/** What counts is when the renewal was sent, not when it was answered: an old one frees nobody. */
export function brakeWish({ now, held, ...facts }: BrakeFacts): BrakeWish {
  // Over or given away: the fence ends what waits, and the next start what was set.
  if (held === undefined || !isValid(held, now)) return 'leave';
  // Nobody takes over from a paused lease: what is acknowledged under it is not lost.
  if (held.paused) return 'release';
  if (!facts.mayBeWritable || facts.losesNothing) return 'release';
  if (now >= brakeDueAt(held, facts.heartbeatMillis)) return 'hold';
  return held.renewedAt === undefined ? 'leave' : 'release';
}

/** When the brake is due, unless the lease is renewed before. */
export const brakeDueAt = (held: HeldLease, heartbeatMillis: Millis): Instant =>
  plus(held.renewedAt ?? held.begunAt, brakeAfterMillis(heartbeatMillis));
