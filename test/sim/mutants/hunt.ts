import { compile } from '../run-compile.mjs';
import { runTasks } from '../run-pool.ts';
import type { Ran, Task } from '../run-pool.ts';
import { failureOf } from '../run-report.ts';
import { simulate } from '../simulate.ts';
import { isShown } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** A mutant may make the agent spin; a seed of the shipped one takes a fraction of this. */
const HANGS_AFTER_MILLIS = 60_000;

export interface SeedRange {
  readonly first: number;
  readonly last: number;
}

export interface Hunted {
  readonly mutant: Mutant;
  /** How many seeds were run. */
  readonly seeds: number;
  /** The first seed on which the mutant fails and the shipped agent does not. */
  readonly found: Ran | undefined;
  readonly tookMillis: number;
}

const taskOf = ({ faults, members, plan }: Mutant, seed: number): Task => ({
  seed,
  ...(faults && { faults }),
  ...(members !== undefined && { members }),
  ...(plan && { plan }),
});

/** Runs one seed after another in a process of its own until one fails. Throws where the mutant cannot be made. */
export async function hunt(
  mutant: Mutant,
  range: SeedRange,
  root: string,
  signal: AbortSignal,
): Promise<Hunted> {
  const begunAt = performance.now();
  const build = make(mutant, root);
  let next = range.first;
  let found: Ran | undefined;
  while (found === undefined && next <= range.last && !signal.aborted) {
    const failed = await firstFailure(mutant, build, { first: next, last: range.last }, signal);
    next = (failed?.task.seed ?? range.last) + 1;
    if (failed !== undefined && (await isFine(failed.task))) found = failed;
  }
  const tookMillis = performance.now() - begunAt;
  return { mutant, seeds: next - range.first, found, tookMillis };
}

/** Throws, with its name, where a text of the mutant does not occur once any more. */
function make({ name, changes }: Mutant, root: string): string {
  try {
    return compile({ root, mutation: changes });
  } catch (error) {
    throw new Error(`mutant ${name} cannot be made`, { cause: error });
  }
}

async function firstFailure(
  mutant: Mutant,
  build: string,
  { first, last }: SeedRange,
  signal: AbortSignal,
): Promise<Ran | undefined> {
  const failed: Ran[] = [];
  const tasks = function* (): Generator<Task> {
    for (let seed = first; seed <= last && failed.length === 0; seed += 1)
      yield taskOf(mutant, seed);
  };
  await runTasks({
    build,
    workers: 1,
    tasks: tasks(),
    signal,
    hangsAfterMillis: HANGS_AFTER_MILLIS,
    onRan: (ran) => {
      if (isShown(mutant, failureOf(ran))) failed.push(ran);
    },
  });
  return failed[0];
}

/** Whether the shipped agent has no trouble with the same seed. */
async function isFine({ seed, faults, members, plan }: Task): Promise<boolean> {
  return (await simulate(seed, { kinds: faults, members, plan })).failure === undefined;
}
