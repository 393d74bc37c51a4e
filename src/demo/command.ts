import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Millis } from '../core/time.ts';

export interface CommandOutcome {
  /** Exit code; 127 when the program could not be started, 128 when a signal ended it. */
  readonly code: number;
  /** The last lines of both streams, oldest first. */
  readonly lines: readonly string[];
}

export interface CommandOptions {
  readonly timeoutMillis: Millis;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Called with every line of either stream as it comes. */
  readonly onLine?: (line: string) => void;
}

const KEPT_LINES = 2000;

/** Runs a program without standard input to its end; it is killed when `timeoutMillis` have passed. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandOutcome> {
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    options.onLine?.(line);
  };
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env ?? process.env,
    cwd: options.cwd,
    timeout: options.timeoutMillis,
    killSignal: 'SIGKILL',
    shell: false,
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', keep);
  }
  return new Promise((resolve) => {
    child.once('error', (error) => {
      keep(error.message);
      resolve({ code: 127, lines });
    });
    child.once('close', (code) => {
      resolve({ code: code ?? 128, lines });
    });
  });
}
