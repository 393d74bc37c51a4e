import { BRAKE_MUTANTS } from './brake.ts';
import { GUARDIAN_MUTANTS } from './guardian.ts';
import { HISTORY_MUTANTS } from './history.ts';
import { LEASE_MUTANTS } from './lease.ts';
import type { Mutant } from './mutant.ts';
import { OVER_MUTANTS } from './over.ts';
import { PAUSE_MUTANTS } from './pause.ts';
import { PROMISE_MUTANTS } from './promises.ts';
import { REACH_MUTANTS } from './reach.ts';
import { SYNCHRONOUS_MUTANTS } from './synchronous.ts';
import { TAKEOVER_MUTANTS } from './takeover.ts';
import { WATCHDOG_MUTANTS } from './watchdog.ts';

export const MUTANTS: readonly Mutant[] = [
  ...LEASE_MUTANTS,
  ...GUARDIAN_MUTANTS,
  ...BRAKE_MUTANTS,
  ...TAKEOVER_MUTANTS,
  ...WATCHDOG_MUTANTS,
  ...PROMISE_MUTANTS,
  ...OVER_MUTANTS,
  ...REACH_MUTANTS,
  ...PAUSE_MUTANTS,
  ...HISTORY_MUTANTS,
  ...SYNCHRONOUS_MUTANTS,
];
