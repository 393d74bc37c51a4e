import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { availableParallelism } from 'node:os';
import { FAULTS } from './faults.ts';
import type { FaultKind } from './faults.ts';

export const USAGE_EXIT = 2;
const SEED_MAX = 2 ** 32 - 1;
const MEMBERS_MAX = 9;
const WORKERS_MAX = 64;
const DEFAULT_WORKERS_MAX = 4;

interface SeedRange {
  readonly first: number;
  readonly last: number;
}

export interface RunOptions {
  /** Undefined: the range that `npm test` runs, and the kept seeds. */
  readonly seeds: SeedRange | undefined;
  /** One seed was asked for. */
  readonly single: boolean;
  /** Soak with fresh seeds for so long. */
  readonly minutes: number | undefined;
  /** `-`: the standard output. */
  readonly trace: string | undefined;
  /** Instead of what each seed draws. */
  readonly faults: readonly FaultKind[] | undefined;
  readonly members: number | undefined;
  readonly workers: number;
  readonly save: boolean;
  readonly journal: string | undefined;
  /** Empty: all of them. */
  readonly mutants: readonly string[] | undefined;
}

export type Parsed =
  | { readonly kind: 'options'; readonly options: RunOptions }
  /** Help, or a mistake: said already. */
  | { readonly kind: 'said'; readonly exitCode: number };

/** What commander hands over. */
interface Given {
  readonly seed?: number;
  readonly seeds?: SeedRange;
  readonly minutes?: number;
  readonly trace?: string | true;
  readonly faults?: readonly FaultKind[];
  readonly members?: number;
  readonly workers?: number;
  readonly save?: true;
  readonly journal?: string;
  readonly mutants?: string | true;
}

const EXAMPLES = `
Examples:
  npm run sim                                  what npm test runs
  npm run sim -- --seed 4711 --trace           tell the story of one seed
  npm run sim -- --seeds 1-2000 --workers 1    the speed of one core
  npm run sim -- --minutes 30 --save           soak, keep the seeds that failed`;

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

function range(text: string): SeedRange {
  const [, from = '', to = ''] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === '' || first > SEED_MAX || last > SEED_MAX)
    throw new InvalidArgumentError(`Expected A-B, two numbers from 0 to ${SEED_MAX}.`);
  if (first > last) throw new InvalidArgumentError('The range is empty.');
  return { first, last };
}

function positive(text: string): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function faultKinds(text: string): readonly FaultKind[] {
  return text.split(',').map((name) => {
    const kind = FAULTS.find((known) => known === name);
    if (kind !== undefined) return kind;
    throw new InvalidArgumentError(`There is no fault "${name}". There are: ${FAULTS.join(', ')}.`);
  });
}

function program(): Command {
  return new Command('npm run sim --')
    .description('Runs whole clusters of the shipped agents under virtual time and random faults.')
    .addOption(
      new Option('--seed <n>', 'one seed')
        .argParser(whole(0, SEED_MAX))
        .conflicts(['seeds', 'minutes']),
    )
    .addOption(
      new Option('--seeds <a-b>', 'a range of seeds').argParser(range).conflicts('minutes'),
    )
    .addOption(new Option('--minutes <m>', 'fresh seeds for so long').argParser(positive))
    .option('--trace [file]', 'with --seed: every line of what happened, to the output or a file')
    .addOption(
      new Option('--faults <list>', 'only these faults, whatever the seed draws').argParser(
        faultKinds,
      ),
    )
    .addOption(new Option('--members <n>', 'so many members').argParser(whole(1, MEMBERS_MAX)))
    .addOption(
      new Option(
        '--workers <k>',
        `processes (default: one for each core, at most ${DEFAULT_WORKERS_MAX})`,
      ).argParser(whole(1, WORKERS_MAX)),
    )
    .option('--save', 'seeds that failed go into test/sim/seeds.json; open ones that pass move')
    .addOption(
      new Option('--journal <file>', "replay the journal of a real agent's decisions").conflicts([
        'seed',
        'seeds',
        'minutes',
        'mutants',
        'save',
      ]),
    )
    .addOption(
      new Option(
        '--mutants [names]',
        'deliberate bugs, which the simulator must find (default: all)',
      ).conflicts(['seed', 'trace', 'minutes', 'save']),
    )
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride();
}

/** Reads the command line. Mistakes are explained on the standard error. */
export function parseRunOptions(argv: readonly string[]): Parsed {
  const command = program();
  try {
    command.parse(argv, { from: 'user' });
    const given = command.opts<Given>();
    if (given.trace !== undefined && given.seed === undefined)
      command.error('error: option --trace needs --seed', { exitCode: USAGE_EXIT });
    return { kind: 'options', options: optionsOf(given) };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: 'said', exitCode: error.exitCode === 0 ? 0 : USAGE_EXIT };
  }
}

function optionsOf(given: Given): RunOptions {
  const { seed, trace, mutants } = given;
  return {
    seeds: seed === undefined ? given.seeds : { first: seed, last: seed },
    single: seed !== undefined,
    minutes: given.minutes,
    trace: trace === true ? '-' : trace,
    faults: given.faults,
    members: given.members,
    workers: given.workers ?? Math.min(DEFAULT_WORKERS_MAX, availableParallelism()),
    save: given.save === true,
    journal: given.journal,
    mutants: mutants === true ? [] : mutants?.split(','),
  };
}
