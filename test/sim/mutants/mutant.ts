import type { FaultKind } from '../faults.ts';
import type { Plan } from '../plan.ts';
import type { Mutation } from '../run-compile.mjs';

/** A deliberate bug in the agent, or in what it relies on, which the simulator must find. */
export interface Mutant {
  readonly name: string;
  /** What is left out: a rule of SPEC.md, or an invariant. */
  readonly rule: string;
  readonly changes: readonly Mutation[];
  /** It must be found within so many seeds. */
  readonly seeds: number;
  /** Names of violations, as in `checks.ts`, that stand for it: a cluster may fail of something else. */
  readonly shows: readonly string[];
  /** It has not been found yet, by what was tried: run only where it is named. */
  readonly unfound?: string;
  /** Faults that the seeds are run with, instead of those that they draw. */
  readonly faults?: readonly FaultKind[];
  /** What else is not left to the seeds. */
  readonly plan?: Partial<Plan>;
  readonly members?: number;
}

/** Left to the seeds altogether, or helped by a choice of faults and settings. */
export const whereOf = ({ faults, plan, members }: Mutant): 'swarm' | 'directed' =>
  faults === undefined && plan === undefined && members === undefined ? 'swarm' : 'directed';

/** `I2 at 4711: …`, or `L: …`. */
const nameOfViolation = (failure: string): string => /^[A-Za-z0-9]+/.exec(failure)?.[0] ?? '';

/** Whether a run has failed of this very bug. Where nothing is expected, of any. */
export const isShown = ({ shows }: Mutant, failure: string | undefined): boolean =>
  failure !== undefined && (shows.length === 0 || shows.includes(nameOfViolation(failure)));

/** One text of one file, replaced. */
export const change = (file: string, find: string, replace: string): Mutation => ({
  file,
  find,
  replace,
});

/** A lease that nobody has renewed lately is not promoted under either, which hides what else forbids it. */
export const PROMOTES_UNHEARD = change(
  'src/core/rules/320-leader-promotes.ts',
  'if (held === undefined || now < brakeDueAt(held, heartbeatMillis)) return undefined;',
  'if (held === undefined || heartbeatMillis > 0) return undefined;',
);
