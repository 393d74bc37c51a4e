import type { Plan } from '../plan.ts';

/** Settings that let a few kinds of faults meet the bug in question sooner than by chance alone. */

const ASYNCHRONOUS = { synchronous_mode: false };
const WITHOUT_PROMISES = { ...ASYNCHRONOUS, failsafe_mode: false };
const DEFAULT_TIMES = {
  ttl: 3,
  heartbeat: 0.5,
  fence_budget: 0.5,
  retry_timeout: 2,
  loop_wait: 1,
};

/** Fault upon fault, and nothing to fall back on. */
export const DENSE: Partial<Plan> = {
  members: 3,
  tags: [{}, {}, {}],
  meanPauseMillis: 2500,
  faultMillis: 150_000,
  fromTheStart: false,
  lasting: 1,
  dynamic: { ...WITHOUT_PROMISES, ...DEFAULT_TIMES },
};

/** The same, where members promise to hold back. */
export const ON_PROMISES: Partial<Plan> = {
  ...DENSE,
  dynamic: { ...ASYNCHRONOUS, ...DEFAULT_TIMES, failsafe_mode: true },
};

/** For longer than a lease reaches. */
export const LASTING_ON_PROMISES: Partial<Plan> = {
  ...ON_PROMISES,
  meanPauseMillis: 5000,
  faultMillis: 240_000,
  lasting: 10,
};

export const ON_PROMISES_OF_FIVE: Partial<Plan> = {
  ...LASTING_ON_PROMISES,
  members: 5,
  tags: [{}, {}, {}, {}, {}],
};

/** Answers may take seconds, and what is counted wrongly shows. */
export const SPARSE_BEATS: Partial<Plan> = {
  ...DENSE,
  faultMillis: 240_000,
  lasting: 2.5,
  dynamic: {
    ...WITHOUT_PROMISES,
    ttl: 10,
    heartbeat: 3,
    fence_budget: 0.2,
    retry_timeout: 5,
    loop_wait: 1,
  },
};

/** What two clocks differ by in one lease is more than anything else takes. */
export const LONG_LEASES: Partial<Plan> = {
  ...DENSE,
  meanPauseMillis: 100_000,
  faultMillis: 900_000,
  lasting: 50,
  dynamic: {
    ...WITHOUT_PROMISES,
    ttl: 60,
    heartbeat: 5,
    fence_budget: 0.2,
    retry_timeout: 5,
    loop_wait: 5,
  },
};

export const LONG_PROMISES: Partial<Plan> = {
  ...LONG_LEASES,
  meanPauseMillis: 60_000,
  dynamic: { ...LONG_LEASES.dynamic, failsafe_mode: true },
};

/** A promotion that takes longer than a second has failed. */
export const SHORT_PROMOTIONS: Partial<Plan> = {
  ...DENSE,
  dynamic: { ...DENSE.dynamic, promote_timeout: 1 },
};

export const LITTLE_LAG: Partial<Plan> = {
  ...DENSE,
  dynamic: { ...DENSE.dynamic, maximum_lag_on_failover: 1 },
};

/** The second of two may not lead. */
export const TAGGED: Partial<Plan> = {
  ...DENSE,
  tags: [{}, { nofailover: true }, { nofailover: true }],
};

/** Whoever does not belong to the part that heals is there, and cannot lead. */
export const CRIPPLED: Partial<Plan> = {
  ...DENSE,
  faultMillis: 3000,
  coreOnly: true,
  away: 'cannot promote',
  dynamic: { ...DENSE.dynamic, crash_restart_budget: 3, primary_start_timeout: 300 },
};

export const FROM_THE_START: Partial<Plan> = { ...DENSE, faultMillis: 30_000, fromTheStart: true };

/** Leader after leader is lost, some of them before anyone has heard of their promotion. */
export const TORN: Partial<Plan> = { ...DENSE, meanPauseMillis: 1500 };

/** Whoever has gone astray is rewound. */
export const REWINDING: Partial<Plan> = {
  ...DENSE,
  keptWalBytes: 1e9,
  dynamic: {
    ...DENSE.dynamic,
    postgresql: {
      use_pg_rewind: true,
      remove_data_directory_on_rewind_failure: true,
      remove_data_directory_on_diverged_timelines: true,
    },
  },
};

/** With one other alone, whoever is silent has no say. */
export const PAIR: Partial<Plan> = { ...DENSE, members: 2, tags: [{}, {}] };

/** Commits wait for any of the others. */
export const QUORUM: Partial<Plan> = {
  ...DENSE,
  dynamic: { ...DENSE.dynamic, synchronous_mode: 'quorum', synchronous_node_count: 1 },
};

/** Long enough pauses that nobody has an excuse for what is not heard. */
export const CALM: Partial<Plan> = {
  ...SPARSE_BEATS,
  members: 4,
  tags: [{}, {}, {}, {}],
  meanPauseMillis: 8000,
  lasting: 1,
};

/** A stranger leads now and then, and is gone long enough for everyone to come back. */
export const PATRONI: Partial<Plan> = { ...DENSE, meanPauseMillis: 8000 };
