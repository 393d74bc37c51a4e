import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { CommandContext, GlobalOptions } from './context.ts';
import type { Outcome } from './outcome.ts';
import type { Terminal } from './terminal.ts';

/** What the program around the commands offers them. */
export interface Runner {
  readonly terminal: Terminal;
  /** Runs with configuration, Consul and REST at hand; keeps the outcome for the exit code. */
  withContext(command: Command, body: (context: CommandContext) => Promise<Outcome>): Promise<void>;
  /** Runs without any of that. */
  plain(command: Command, body: (options: GlobalOptions) => Promise<Outcome>): Promise<void>;
  /** Runs the agent itself until it ends; its exit code becomes ours. */
  runAgent(argv: string[]): Promise<void>;
}

/** A command as the program lists it: `register` adds it with its options, help and action. */
export type Register = (program: Command, runner: Runner) => void;

/** Examples below the help of a command. */
export const examples = (...lines: readonly string[]): string =>
  ['', 'Examples:', ...lines.map((line) => `  $ ${line}`)].join('\n');

const LONGEST_SECONDS = 7 * 24 * 3600;

/** Reads an option of seconds, fractions allowed. */
export function secondsOption(smallest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= smallest && value <= LONGEST_SECONDS)) {
      throw new InvalidArgumentError(`It must be a number of seconds from ${smallest} on.`);
    }
    return value;
  };
}

/** Collects an option that may be given several times. */
export const collect = (text: string, former: readonly string[] | undefined): readonly string[] => [
  ...(former ?? []),
  text,
];
