import { parseArgs } from 'node:util';
import type { Millis } from '../../src/core/time.ts';
import type { SynchronousMode } from './chaos-cluster.ts';
import { FAULTS } from './faults/catalogue.ts';

export const USAGE = `npm run chaos -- --fault NAME [--rounds 5] [--short | --hold SECONDS] [--json FILE]
  Does one thing to a cluster of three hosts, again and again, and measures what it costs.
npm run chaos -- --minutes 10 [--seed N] [--json FILE]
  Things at random, and pairs of them, in an order that the seed decides.
npm run chaos -- --all [--short] [--rounds 1] [--json FILE]
  Each of them, at full length; with --short as long as in npm test.
npm run chaos -- --list
  What there is.
--synchronous on|quorum does it to a cluster in that synchronous_mode, where no commit may be lost at all.
--keep-logs leaves the logs of all processes, which otherwise stay only when something was wrong.

Needs root, iproute2 and nftables: hosts are network namespaces. Exit code 1 if anything cost more than
it may, 2 for a mistake on the command line, 130 after Ctrl-C.`;

export type ChaosOptions =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | {
      readonly kind: 'named';
      readonly names: readonly string[];
      readonly rounds: number;
      readonly holdMillis: Millis | undefined;
      /** As long as in `npm test`, where nothing else is said. */
      readonly short: boolean;
      readonly synchronousMode: SynchronousMode;
      readonly jsonFile: string | undefined;
      readonly keepLogs: boolean;
    }
  | {
      readonly kind: 'random';
      readonly minutes: number;
      readonly seed: number;
      readonly synchronousMode: SynchronousMode;
      readonly jsonFile: string | undefined;
      readonly keepLogs: boolean;
    };

/** A mistake on the command line; its message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

function numberOf(text: string, option: string, lowest: number, highest: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= lowest && value <= highest) return value;
  throw new UsageError(`${option} is a number from ${lowest} to ${highest}, not "${text}"`);
}

function wholeNumberOf(text: string, option: string, lowest: number, highest: number): number {
  const value = numberOf(text, option, lowest, highest);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${option} is a whole number, not "${text}"`);
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        fault: { type: 'string', multiple: true, default: [] },
        all: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        hold: { type: 'string' },
        minutes: { type: 'string' },
        seed: { type: 'string' },
        synchronous: { type: 'string', default: 'off' },
        json: { type: 'string' },
        'keep-logs': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function synchronousModeOf(text: string): SynchronousMode {
  if (text === 'off' || text === 'on' || text === 'quorum') return text;
  throw new UsageError(`--synchronous is on or quorum, not "${text}"`);
}

/** Reads the command line; throws a UsageError. Without `--seed` one is drawn from the clock. */
export function readOptions(args: readonly string[], nowMillis: Millis): ChaosOptions {
  const values = read(args);
  if (values.help) return { kind: 'help' };
  if (values.list) return { kind: 'list' };
  const common = {
    synchronousMode: synchronousModeOf(values.synchronous),
    jsonFile: values.json,
    keepLogs: values['keep-logs'],
  };
  if (values.minutes !== undefined) {
    return {
      kind: 'random',
      minutes: numberOf(values.minutes, '--minutes', 0.1, 10_000),
      seed: wholeNumberOf(values.seed ?? String(nowMillis % 1_000_000), '--seed', 0, 2 ** 32 - 1),
      ...common,
    };
  }
  const names = values.all ? FAULTS.map(({ name }) => name) : values.fault;
  if (names.length === 0) throw new UsageError('say --fault NAME, --all, --minutes N or --list');
  const unknown = names.find((name) => FAULTS.every((fault) => fault.name !== name));
  if (unknown !== undefined)
    throw new UsageError(`there is no fault "${unknown}"; --list names all`);
  return {
    kind: 'named',
    names,
    rounds: wholeNumberOf(values.rounds ?? '1', '--rounds', 1, 10_000),
    holdMillis:
      values.hold === undefined ? undefined : 1000 * numberOf(values.hold, '--hold', 0, 86_400),
    short: values.short,
    ...common,
  };
}
