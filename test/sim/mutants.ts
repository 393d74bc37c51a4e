import { MUTANTS } from './mutants/all.ts';
import { hunt } from './mutants/hunt.ts';
import type { Hunted } from './mutants/hunt.ts';
import { whereOf } from './mutants/mutant.ts';
import type { Mutant } from './mutants/mutant.ts';
import { repositoryOf } from './run-compile.mjs';
import type { MutantsRun } from './run-main.ts';
import { USAGE_EXIT } from './run-options.ts';
import { describeFailure, failureOf, firstLine } from './run-report.ts';

const SHOWN_CHARACTERS = 110;

const say = (line: string): void => {
  console.log(line);
};

/**
 * Makes one deliberate bug after another and lets the simulator look for it. Answers the exit code:
 * 0 when each was found within its number of seeds, 1 when one was not.
 */
export async function runMutants(run: MutantsRun): Promise<number> {
  const unknown = run.names.filter((name) => MUTANTS.every((mutant) => mutant.name !== name));
  if (unknown.length > 0) {
    const known = MUTANTS.map(({ name }) => name).join(', ');
    console.error(`Error: there is no mutant ${unknown.join(', ')}. There are: ${known}`);
    return USAGE_EXIT;
  }
  const chosen = MUTANTS.filter(({ name, unfound }) =>
    run.names.length === 0 ? unfound === undefined : run.names.includes(name),
  );
  const begunAt = performance.now();
  const hunted = await huntAll(chosen, run);
  const missed = hunted.filter(({ found }) => found === undefined);
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
  say('');
  say(`${hunted.length} of ${chosen.length} mutants in ${seconds} s, ${missed.length} not found`);
  for (const { mutant, seeds } of missed)
    say(`NOT FOUND within ${seeds} seeds: ${mutant.name} (${mutant.rule})`);
  const [only] = hunted;
  if (chosen.length === 1 && only?.found !== undefined) say(describeFailure(only.found));
  return missed.length > 0 || hunted.length < chosen.length ? 1 : 0;
}

/** As many at once as there are workers, each in a process of its own. */
async function huntAll(
  chosen: readonly Mutant[],
  { seeds, workers, signal }: MutantsRun,
): Promise<readonly Hunted[]> {
  const root = repositoryOf(new URL(import.meta.url).pathname);
  const waiting = [...chosen];
  const hunted: Hunted[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (signal.aborted) return;
      const range = seeds ?? { first: 1, last: next.seeds };
      const done = await hunt(next, range, root, signal).catch(explain);
      if (signal.aborted) return;
      if (done === undefined) continue;
      hunted.push(done);
      say(lineOf(done));
    }
  };
  say(`${'mutant'.padEnd(34)} ${'where'.padEnd(9)} ${'found'.padEnd(12)} violation`);
  await Promise.all(Array.from({ length: workers }, lane));
  return hunted;
}

/** What cannot be made has not been found either. */
function explain(error: unknown): undefined {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) throw error;
  console.error(`Error: ${error.message}: ${error.cause.message}`);
}

function lineOf({ mutant, seeds, found }: Hunted): string {
  const at = found === undefined ? `not in ${seeds}` : `${found.task.seed} of ${mutant.seeds}`;
  const what = found === undefined ? mutant.rule : firstLine(failureOf(found) ?? '');
  return `${mutant.name.padEnd(34)} ${whereOf(mutant).padEnd(9)} ${at.padEnd(12)} ${what.slice(0, SHOWN_CHARACTERS)}`;
}
