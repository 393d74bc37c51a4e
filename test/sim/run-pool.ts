import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { FaultKind } from './faults.ts';
import type { Plan } from './plan.ts';
import type { Outcome } from './simulate.ts';

/** One seed to run, and what is not left to it. */
export interface Task {
  readonly seed: number;
  readonly faults?: readonly FaultKind[] | undefined;
  readonly members?: number | undefined;
  readonly plan?: Partial<Plan> | undefined;
}

/** How a task ended: with an outcome, or with the end of the process that ran it. */
export interface Ran {
  readonly task: Task;
  readonly outcome: Outcome | undefined;
  readonly crash: string | undefined;
  readonly wallMillis: number;
  /** What it took of one core, whoever else used the machine. */
  readonly cpuMillis: number;
}

export interface PoolOptions {
  /** Where `compile` has put the simulator; a mutant has a build of its own. */
  readonly build: string;
  readonly workers: number;
  /** Taken from as workers become free. */
  readonly tasks: Iterable<Task>;
  readonly onRan: (ran: Ran) => void;
  /** Nothing new begins, and what runs is ended. */
  readonly signal: AbortSignal;
  /** Longest time for one seed, in wall time; it has hung then. */
  readonly hangsAfterMillis?: number;
}

/** Nearly everything a run makes is short-lived: collected less often, it costs a tenth less time. */
const YOUNG_HEAP = '--max-semi-space-size=64';
const HANGS_AFTER_MILLIS = 180_000;
const STDERR_KEPT = 4000;

type Answer =
  | { readonly kind: 'ran'; readonly outcome: Outcome; readonly cpuMillis: number }
  | { readonly kind: 'crashed'; readonly why: string };

/** Runs all tasks on worker processes; answers when all are through, or the signal came. */
export async function runTasks(options: PoolOptions): Promise<void> {
  const tasks = options.tasks[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      while (!options.signal.aborted) {
        const next = tasks.next();
        if (next.done === true) return;
        worker = worker?.alive === true ? worker : new Worker(options);
        const ran = await worker.run(next.value);
        if (ran !== undefined) options.onRan(ran);
      }
    } finally {
      worker?.end();
    }
  };
  await Promise.all(Array.from({ length: options.workers }, lane));
}

/** One process, which runs one seed after another. */
class Worker {
  readonly #child: ChildProcess;
  readonly #options: PoolOptions;
  #stderr = '';
  #alive = true;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#child = fork(join(options.build, 'test/sim/run-worker.js'), [], {
      execArgv: [YOUNG_HEAP],
      serialization: 'json',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_KEPT);
    });
    this.#child.on('close', () => {
      this.#alive = false;
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Undefined: given up, because the signal came. */
  run(task: Task): Promise<Ran | undefined> {
    const child = this.#child;
    const { signal, hangsAfterMillis = HANGS_AFTER_MILLIS } = this.#options;
    const begunAt = performance.now();
    return new Promise((resolve) => {
      const settle = (result: Pick<Ran, 'outcome' | 'crash' | 'cpuMillis'>): void => {
        clearTimeout(timer);
        child.off('message', onMessage).off('close', onClose).off('error', onError);
        signal.removeEventListener('abort', onAbort);
        const wallMillis = performance.now() - begunAt;
        resolve(signal.aborted ? undefined : { task, ...result, wallMillis });
      };
      const give = (crash: string): void => {
        this.end();
        settle({ outcome: undefined, crash, cpuMillis: 0 });
      };
      const onMessage = (answer: Answer): void => {
        if (answer.kind === 'crashed') give(answer.why);
        else settle({ outcome: answer.outcome, crash: undefined, cpuMillis: answer.cpuMillis });
      };
      const onClose = (code: number | null, by: NodeJS.Signals | null): void => {
        const said = this.#stderr.trim();
        give(`the process ended with ${by ?? `code ${code}`}${said === '' ? '' : `: ${said}`}`);
      };
      const onError = (error: Error): void => {
        give(error.message);
      };
      const onAbort = (): void => {
        give('given up');
      };
      const timer = setTimeout(() => {
        give(`no end within ${Math.round(hangsAfterMillis / 1000)} s of wall time`);
      }, hangsAfterMillis);
      child.on('message', onMessage).on('close', onClose).on('error', onError);
      signal.addEventListener('abort', onAbort, { once: true });
      child.send(task);
    });
  }

  end(): void {
    this.#alive = false;
    this.#child.kill('SIGKILL');
  }
}
