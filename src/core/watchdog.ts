import type { Result } from './result.ts';
import type { Timing, WatchdogSettings } from './settings.ts';
import { plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * How the kernel's watchdog device is used (SPEC.md P18). It resets the host when it has not been pinged
 * for its timeout, so a ping is a promise: this host lives until then. It may be given only where the
 * lease lasts as long. Whoever pings extends nothing beyond the lease, and whatever stops, the pings stop.
 */

/** What a device has to do for one lease after the other. */
export interface WatchdogOrder {
  readonly device: string;
  readonly driver: WatchdogSettings['driver'];
  readonly timeoutMillis: Millis;
  /** Where the kernel shows the device, `/sys/class/watchdog/watchdog0`; undefined of one for tests. */
  readonly attributes: string | undefined;
}

/** The device as the guardian has it. */
export type HeldWatchdog =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly order: WatchdogOrder }
  | { readonly kind: 'failed'; readonly device: string; readonly why: string };

/** What became of the attempt to make the device ready for a guardian. */
export interface PreparedWatchdog {
  readonly settings: WatchdogSettings;
  /** As wanted; a device may be set to less. */
  readonly timeoutMillis: Millis;
  readonly outcome: Result<WatchdogOrder>;
}

/** What is known of the device of this host. */
export type WatchdogFacts =
  /** It has not been looked at yet, or is just being set anew. */
  | { readonly kind: 'unknown' }
  /** Nobody holds it, and it is set to what is wanted. */
  | { readonly kind: 'ready' }
  /** The guardian holds it and it counts down. */
  | { readonly kind: 'open' }
  | { readonly kind: 'unusable'; readonly why: string; readonly remedy: string | undefined };

/** Devices count whole seconds. */
const SECOND_MILLIS: Millis = 1000;
/** What a heartbeat waits for its answer at least: `agent/heartbeat.ts`. */
const LEAST_ANSWER_MILLIS: Millis = 300;

const wholeSeconds = (millis: Millis): Millis => Math.floor(millis / SECOND_MILLIS) * SECOND_MILLIS;

/**
 * When the host is reset at the latest. From the beginning of the guardian's fence it has half of the
 * fence budget for itself; the other half is for a device that is late.
 */
export const resetBy = (end: Instant, fenceBudgetMillis: Millis): Instant =>
  plus(end, -fenceBudgetMillis / 2);

/** The last moment at which a ping lets the host live no longer than that. */
export const lastPingAt = (
  end: Instant,
  fenceBudgetMillis: Millis,
  timeoutMillis: Millis,
): Instant => plus(resetBy(end, fenceBudgetMillis), -timeoutMillis);

/** Often enough that a single late one costs nothing. */
export const pingEveryMillis = (timeoutMillis: Millis): Millis => timeoutMillis / 4;

/** Whenever a heartbeat is answered in time, so much of the lease is left that a ping is allowed. */
const longestTimeout = ({ ttlMillis, heartbeatMillis, fenceBudgetMillis }: Timing): Millis =>
  ttlMillis - fenceBudgetMillis / 2 - Math.max(heartbeatMillis, LEAST_ANSWER_MILLIS);

export type WatchdogTimeout =
  | { readonly kind: 'fits'; readonly timeoutMillis: Millis }
  | { readonly kind: 'misfit'; readonly why: string; readonly remedy: string };

/** The timeout of the device that fits the times of the cluster, or what has to be changed so that one does. */
export function watchdogTimeout(
  timing: Timing,
  { safetyMarginMillis: margin }: Pick<WatchdogSettings, 'safetyMarginMillis'>,
): WatchdogTimeout {
  const { ttlMillis } = timing;
  const longest = longestTimeout(timing);
  if (longest < SECOND_MILLIS) {
    const needed = ttlMillis + SECOND_MILLIS - longest;
    return {
      kind: 'misfit',
      why: `ttl ${seconds(ttlMillis)} s is too short for a watchdog device, which counts whole seconds`,
      remedy: `raise ttl to at least ${seconds(needed)}, or set watchdog.mode to off`,
    };
  }
  if (margin === undefined) return { kind: 'fits', timeoutMillis: wholeSeconds(longest) };
  const asked = margin === 'half' ? ttlMillis / 2 : ttlMillis - margin;
  const timeoutMillis = wholeSeconds(Math.min(longest, asked));
  if (timeoutMillis >= SECOND_MILLIS) return { kind: 'fits', timeoutMillis };
  const most = seconds(ttlMillis - SECOND_MILLIS);
  return {
    kind: 'misfit',
    why:
      margin === 'half'
        ? `half of ttl ${seconds(ttlMillis)} s is less than the second that a watchdog device counts at least`
        : `safety_margin ${seconds(margin)} s leaves less than a second of ttl ${seconds(ttlMillis)} s`,
    remedy:
      margin === 'half'
        ? 'remove safety_margin, or raise ttl to at least 2'
        : `lower safety_margin to at most ${most}, or remove it: then it is as small as it can be`,
  };
}

const seconds = (millis: Millis): string => String(Math.ceil(millis) / 1000);

/** All that says what becomes of the device. */
export interface WatchdogSituation {
  readonly settings: WatchdogSettings | undefined;
  readonly timing: Timing;
  readonly prepared: PreparedWatchdog | undefined;
  /** Whether a guardian is armed with a lease that a time ends. */
  readonly guarded: boolean;
  /** Undefined: no guardian runs, or one of a version that knows of no device. */
  readonly held: HeldWatchdog | undefined;
}

/** What the guardian is to hold with the lease: what it holds, if that still serves, else what was made ready. */
export function watchdogOrder(situation: WatchdogSituation): WatchdogOrder | undefined {
  const { settings, timing, prepared, held } = situation;
  if (settings === undefined) return undefined;
  const timeout = watchdogTimeout(timing, settings);
  if (timeout.kind === 'misfit') return undefined;
  if (held?.kind === 'open' && serves(held.order, settings, timeout.timeoutMillis))
    return held.order;
  // One that counts too long is closed before it is set anew.
  if (held?.kind === 'open' || !isFor(prepared, settings, timeout.timeoutMillis)) return undefined;
  return prepared.outcome.ok ? prepared.outcome.value : undefined;
}

export function watchdogFacts(situation: WatchdogSituation): WatchdogFacts | undefined {
  const { settings, timing, prepared, guarded, held } = situation;
  if (settings === undefined) return undefined;
  const timeout = watchdogTimeout(timing, settings);
  if (timeout.kind === 'misfit') return unusable(timeout.why, timeout.remedy);
  if (guarded && held === undefined)
    return unusable(
      'the guardian is of a version that holds no device',
      'restart Postgres through pgbaton, which starts a new guardian',
    );
  if (guarded && held?.kind === 'open')
    return serves(held.order, settings, timeout.timeoutMillis)
      ? { kind: 'open' }
      : { kind: 'unknown' };
  if (guarded && held?.kind === 'failed') return unusable(`${held.device}: ${held.why}`, undefined);
  if (!isFor(prepared, settings, timeout.timeoutMillis)) return { kind: 'unknown' };
  const { outcome } = prepared;
  return outcome.ok ? { kind: 'ready' } : unusable(outcome.error.message, outcome.error.remedy);
}

const unusable = (why: string, remedy: string | undefined): WatchdogFacts => ({
  kind: 'unusable',
  why,
  remedy,
});

const serves = (order: WatchdogOrder, settings: WatchdogSettings, timeoutMillis: Millis): boolean =>
  order.device === settings.device &&
  order.driver === settings.driver &&
  order.timeoutMillis <= timeoutMillis;

const isFor = (
  prepared: PreparedWatchdog | undefined,
  { device, driver }: WatchdogSettings,
  timeoutMillis: Millis,
): prepared is PreparedWatchdog =>
  prepared?.settings.device === device &&
  prepared.settings.driver === driver &&
  prepared.timeoutMillis === timeoutMillis;

/** Why this member must not lead; undefined: nothing of the watchdog is in the way. */
export function watchdogFault(
  settings: WatchdogSettings | undefined,
  facts: WatchdogFacts | undefined,
): string | undefined {
  if (settings?.mode !== 'required' || facts === undefined) return undefined;
  if (facts.kind === 'unknown') return 'its watchdog device has not been looked at yet';
  return facts.kind === 'unusable'
    ? `its watchdog is required and unusable: ${facts.why}`
    : undefined;
}
