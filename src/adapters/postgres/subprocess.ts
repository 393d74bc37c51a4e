import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { since } from '../../core/time.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';

export interface ProcessRequest {
  readonly executable: string;
  /** Visible to every user of the host: no secrets. */
  readonly args: readonly string[];
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Undefined only where `signal` is the bound: copying a database takes as long as it takes. */
  readonly timeoutMillis: Millis | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStarted?: (pid: number) => void;
  /** Each line of stdout and stderr as it comes; carriage returns count as line ends. */
  readonly onLine?: (line: string) => void;
}

export interface ProcessOutcome {
  readonly ended: 'exited' | 'timed-out' | 'aborted' | 'not-started';
  readonly code: number | undefined;
  /** The last bytes of each, bounded. */
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMillis: Millis;
}

const CAPTURED_CHARACTERS_MAX = 256 * 1024;
const KILL_GRACE_MILLIS = 3000;
/** How long output may still come after the end of the process, from children that it left behind. */
const DRAIN_MILLIS = 500;
const SETPRIV = '/usr/bin/setpriv';

export const succeeded = (outcome: ProcessOutcome): boolean =>
  outcome.ended === 'exited' && outcome.code === 0;

/** What went wrong, for a person: the last lines that the process said. */
export function describeOutcome(what: string, outcome: ProcessOutcome): string {
  const said = `${outcome.stdout}\n${outcome.stderr}`.trim().split('\n').slice(-5).join(' | ');
  const how =
    outcome.ended === 'exited'
      ? `ended with ${outcome.code === undefined ? 'a signal' : `exit code ${outcome.code}`}`
      : outcome.ended;
  return said === '' ? `${what} ${how}` : `${what} ${how}: ${said}`;
}

/** Keeps the end of a stream and hands out its lines. */
class Capture {
  #text = '';
  #rest = '';
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  read(stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      this.#text = (this.#text + chunk).slice(-CAPTURED_CHARACTERS_MAX);
      if (this.#onLine === undefined) return;
      const lines = (this.#rest + chunk).split(/[\r\n]+/);
      this.#rest = (lines.pop() ?? '').slice(-CAPTURED_CHARACTERS_MAX);
      lines.forEach((line) => this.#onLine?.(line));
    });
    stream.on('error', () => undefined);
  }

  text(): string {
    if (this.#rest !== '') this.#onLine?.(this.#rest);
    this.#rest = '';
    return this.#text;
  }
}

function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already, which is what was wanted.
  }
}

// The kernel ends the tool when the agent dies: a pg_rewind that outlived it would write into the
// directory that the next agent builds. Linux with util-linux only; markers cover the rest.
function wrap(request: ProcessRequest): { executable: string; args: readonly string[] } {
  if (!existsSync(SETPRIV)) return request;
  return {
    executable: SETPRIV,
    args: ['--pdeathsig', 'KILL', request.executable, ...request.args],
  };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Runs a program in a process group of its own, with /dev/null as input. Never throws; no shell. */
export function run(clock: Clock, request: ProcessRequest): Promise<ProcessOutcome> {
  const startedAt = clock.now();
  const stdout = new Capture(request.onLine);
  const stderr = new Capture(request.onLine);
  const outcome = (ended: ProcessOutcome['ended'], code: number | undefined): ProcessOutcome => ({
    ended,
    code,
    stdout: stdout.text(),
    stderr: stderr.text(),
    tookMillis: since(startedAt, clock.now()),
  });
  if (request.signal?.aborted === true) return Promise.resolve(outcome('aborted', undefined));
  const { executable, args } = wrap(request);
  const child: Child = spawn(executable, [...args], {
    env: { ...request.env },
    cwd: request.cwd ?? '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  stdout.read(child.stdout);
  stderr.read(child.stderr);
  if (child.pid !== undefined) request.onStarted?.(child.pid);
  return settle(clock, request, child, outcome);
}

function settle(
  clock: Clock,
  request: ProcessRequest,
  child: Child,
  outcome: (ended: ProcessOutcome['ended'], code: number | undefined) => ProcessOutcome,
): Promise<ProcessOutcome> {
  return new Promise((resolve) => {
    let ended: ProcessOutcome['ended'] = 'exited';
    const cancels: (() => void)[] = [];
    const finish = (answer: ProcessOutcome): void => {
      cancels.forEach((cancel) => cancel());
      request.signal?.removeEventListener('abort', onAbort);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(answer);
    };
    const end = (cause: 'timed-out' | 'aborted'): void => {
      const pid = child.pid;
      if (ended !== 'exited' || pid === undefined) return;
      ended = cause;
      signalGroup(pid, 'SIGTERM');
      cancels.push(clock.timer(KILL_GRACE_MILLIS, () => signalGroup(pid, 'SIGKILL')));
    };
    const onAbort = (): void => end('aborted');
    request.signal?.addEventListener('abort', onAbort, { once: true });
    if (request.timeoutMillis !== undefined) {
      cancels.push(clock.timer(request.timeoutMillis, () => end('timed-out')));
    }
    child.on('error', (error) => {
      const answer = outcome('not-started', undefined);
      finish({ ...answer, stderr: `${answer.stderr}${error.message}` });
    });
    child.on('close', (code) => finish(outcome(ended, code ?? undefined)));
    child.on('exit', (code) => {
      // What is left of the group must not go on writing behind the back of the next step.
      if (ended !== 'exited' && child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      cancels.push(clock.timer(DRAIN_MILLIS, () => finish(outcome(ended, code ?? undefined))));
    });
  });
}
