import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Millis } from '../core/time.ts';
import { signalProcess } from './processes.ts';
import { until } from './wait.ts';
import { DemoError } from './demo-error.ts';

export interface ProcessSpecification {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Program and arguments that start the program somewhere else, and become it: its pid is the same. */
  readonly enter?: readonly string[];
  /** Both streams are appended to it. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

const TAIL_LINES = 15;

/** One process that we started, known by its pid. */
export class ProcessHandle {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended and was reaped. */
  readonly ended: Promise<void>;
  #exit: string | undefined;

  constructor(specification: ProcessSpecification) {
    this.name = specification.name;
    this.logFile = specification.logFile;
    const log = openSync(specification.logFile, 'a', 0o644);
    const [entering, ...through] = specification.enter ?? [];
    const [program, before] =
      entering === undefined
        ? [specification.program, []]
        : [entering, [...through, specification.program]];
    const child = spawn(program, [...before, ...specification.args], {
      stdio: ['ignore', log, log],
      env: specification.env ?? process.env,
      cwd: specification.cwd ?? '/',
      // A session of its own: Ctrl-C in the terminal reaches only us, and we stop it in order.
      detached: true,
      shell: false,
      ...(specification.uid === undefined ? {} : { uid: specification.uid }),
      ...(specification.gid === undefined ? {} : { gid: specification.gid }),
    });
    closeSync(log);
    this.pid = child.pid ?? 0;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#exit ??= error.message;
        resolve();
      });
      child.once('exit', (code, signal) => {
        this.#exit ??= signal === null ? `exit code ${String(code)}` : `ended by ${signal}`;
        resolve();
      });
    });
  }

  get isAlive(): boolean {
    return this.#exit === undefined;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isAlive && this.pid !== 0) signalProcess(this.pid, signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  /** SIGTERM, and SIGKILL after `graceMillis`. Answers whether it went by itself. */
  async stop(graceMillis: Millis): Promise<boolean> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => {
      this.signal('SIGKILL');
    }, graceMillis);
    const startedAt = performance.now();
    await this.ended;
    clearTimeout(timer);
    return performance.now() - startedAt < graceMillis;
  }

  /** Waits for `condition`; a process that ends meanwhile fails at once, with the end of its log. */
  async whenReady<T>(
    condition: () => T | undefined | false | Promise<T | undefined | false>,
    timeoutMillis: Millis,
  ): Promise<T> {
    return until(`${this.name} being ready`, condition, {
      timeoutMillis,
      abort: () =>
        this.isAlive
          ? undefined
          : new DemoError(
              `${this.name}: ${this.#exit ?? ''}\n${this.logTail()}\n(${this.logFile})`,
            ),
    });
  }

  logTail(): string {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
    return lines.slice(-TAIL_LINES).join('\n');
  }
}
