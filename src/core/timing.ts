import type { Timing } from './settings.ts';
import type { Millis } from './time.ts';

/** A timing that cannot work, in the words of the configuration. */
export interface TimingProblem {
  /** The dynamic key to look at first. */
  readonly key: TimingKey;
  readonly message: string;
  readonly remedy: string;
}

export type TimingKey =
  | 'ttl'
  | 'heartbeat'
  | 'fence_budget'
  | 'retry_timeout'
  | 'loop_wait'
  | 'primary_start_timeout'
  | 'primary_hang_timeout'
  | 'primary_stop_timeout'
  | 'promote_timeout';

const FIELD: Readonly<Record<TimingKey, keyof Timing>> = {
  ttl: 'ttlMillis',
  heartbeat: 'heartbeatMillis',
  fence_budget: 'fenceBudgetMillis',
  retry_timeout: 'retryTimeoutMillis',
  loop_wait: 'loopWaitMillis',
  primary_start_timeout: 'primaryStartTimeoutMillis',
  primary_hang_timeout: 'primaryHangTimeoutMillis',
  primary_stop_timeout: 'primaryStopTimeoutMillis',
  promote_timeout: 'promoteTimeoutMillis',
};

export const TIMING_KEYS = Object.keys(FIELD) as readonly TimingKey[];

/** Below these the numbers measure the scheduler of the host, not the cluster. */
const MINIMUM: Readonly<Record<TimingKey, Millis>> = {
  ttl: 500,
  heartbeat: 50,
  fence_budget: 100,
  retry_timeout: 100,
  loop_wait: 50,
  primary_start_timeout: 0,
  primary_hang_timeout: 0,
  primary_stop_timeout: 0,
  promote_timeout: 1000,
};

/** Longest wait of Node's timers (2^31 - 1 ms); a longer one would fire at once. */
export const LONGEST_DURATION_MILLIS: Millis = 2_147_483_647;

/** A healthy agent may have made no decision for so long: an answer of Consul or of Postgres is waited for. */
export const longestQuietMillis = (timing: Timing): Millis =>
  Math.max(10 * timing.heartbeatMillis, 2 * timing.ttlMillis);

const LEAST_PROMOTE_TIMEOUT_MILLIS: Millis = 30_000;
/** A disk or a machine that is overloaded gets by in that time, more often than not. */
const LEAST_HANG_TIMEOUT_MILLIS: Millis = 10_000;

const WITHOUT_DERIVED: Omit<Timing, 'promoteTimeoutMillis' | 'primaryHangTimeoutMillis'> = {
  ttlMillis: 3000,
  heartbeatMillis: 500,
  fenceBudgetMillis: 500,
  retryTimeoutMillis: 2000,
  loopWaitMillis: 1000,
  primaryStartTimeoutMillis: 300_000,
  primaryStopTimeoutMillis: 0,
};

/**
 * Fills in what is not set. `promote_timeout` follows ttl: max(ttl, 30 s); `primary_hang_timeout`
 * follows the patience that the cluster has with Consul: max(ttl + retry_timeout, 10 s).
 */
export function timingWithDefaults(given: Partial<Timing>): Timing {
  const rest = { ...WITHOUT_DERIVED, ...given };
  return {
    ...rest,
    promoteTimeoutMillis:
      given.promoteTimeoutMillis ?? Math.max(rest.ttlMillis, LEAST_PROMOTE_TIMEOUT_MILLIS),
    primaryHangTimeoutMillis:
      given.primaryHangTimeoutMillis ??
      Math.max(rest.ttlMillis + rest.retryTimeoutMillis, LEAST_HANG_TIMEOUT_MILLIS),
  };
}

export const DEFAULT_TIMING: Timing = timingWithDefaults({});

export const timingField = (key: TimingKey): keyof Timing => FIELD[key];

/**
 * Whether the durations work together: three heartbeats may be lost and two fences fit into a
 * lease, and one operation is not retried for longer than a lease lives. Empty when they do.
 */
export function checkTiming(timing: Timing): readonly TimingProblem[] {
  const outOfRange = TIMING_KEYS.flatMap((key) => checkRange(key, timing[FIELD[key]]));
  return outOfRange.length > 0 ? outOfRange : [...checkLease(timing), ...checkRetry(timing)];
}

function checkRange(key: TimingKey, value: Millis): readonly TimingProblem[] {
  const minimum = MINIMUM[key];
  if (value < minimum) {
    const least = `raise ${key} to at least ${inSeconds(minimum)}`;
    return [
      {
        key,
        message: `${key} ${inSeconds(value)} s is below ${inSeconds(minimum)} s`,
        remedy: least,
      },
    ];
  }
  if (value <= LONGEST_DURATION_MILLIS) return [];
  const most = inSeconds(Math.floor(LONGEST_DURATION_MILLIS / 1000) * 1000);
  return [
    {
      key,
      message: `${key} ${inSeconds(value)} s is above ${most} s`,
      remedy: `lower ${key} to at most ${most}`,
    },
  ];
}

function checkLease(timing: Timing): readonly TimingProblem[] {
  const { ttlMillis, heartbeatMillis, fenceBudgetMillis } = timing;
  const needed = 3 * heartbeatMillis + 2 * fenceBudgetMillis;
  if (ttlMillis >= needed) return [];
  const heartbeat = Math.floor((ttlMillis - 2 * fenceBudgetMillis) / 3);
  const lower =
    heartbeat >= MINIMUM.heartbeat
      ? `lower heartbeat to at most ${inSeconds(heartbeat)}`
      : 'lower heartbeat and fence_budget';
  const isReachable = needed <= LONGEST_DURATION_MILLIS;
  return [
    {
      key: 'ttl',
      message: `ttl ${inSeconds(ttlMillis)} s is shorter than 3 x heartbeat ${inSeconds(heartbeatMillis)} s + 2 x fence_budget ${inSeconds(fenceBudgetMillis)} s = ${inSeconds(needed)} s`,
      remedy: isReachable ? `raise ttl to at least ${inSeconds(needed)}, or ${lower}` : lower,
    },
  ];
}

function checkRetry(timing: Timing): readonly TimingProblem[] {
  const { ttlMillis, retryTimeoutMillis } = timing;
  if (retryTimeoutMillis <= ttlMillis) return [];
  const [ttl, retry] = [inSeconds(ttlMillis), inSeconds(retryTimeoutMillis)];
  return [
    {
      key: 'retry_timeout',
      message: `retry_timeout ${retry} s is longer than ttl ${ttl} s`,
      remedy: `lower retry_timeout to at most ${ttl}, or raise ttl to at least ${retry}`,
    },
  ];
}

/** Seconds as one writes them in the configuration, to the millisecond, rounded up. */
const inSeconds = (value: Millis): string => String(Math.ceil(value) / 1000);
