import type { JobKind } from '../core/job.ts';
import { failure } from '../core/result.ts';
import type { Failure, Result } from '../core/result.ts';
import { since } from '../core/time.ts';
import type { Instant } from '../core/time.ts';
import type { PostgresState } from '../core/postgres.ts';
import type { JobOptions, Progress } from '../ports/postgres.ts';
import type { Probing } from './probing.ts';
import type { AgentState } from './state.ts';

/** What Postgres is published as while a job has it in its hands, and when the job failed. */
const PUBLISHED: Readonly<Partial<Record<JobKind, readonly [PostgresState, PostgresState]>>> = {
  start: ['starting', 'start failed'],
  stop: ['stopping', 'stop failed'],
  initialise: ['initializing new cluster', 'initdb failed'],
  'finish-bootstrap': ['running custom bootstrap script', 'custom bootstrap failed'],
  clone: ['creating replica', 'stopped'],
};

const REPLACES_DATA: ReadonlySet<JobKind> = new Set(['clone', 'rewind', 'initialise', 'set-aside']);

/** Long work: one at a time, its outcome is a fact of a later View. Heartbeat and fence do not wait for it. */
export class Jobs {
  readonly #state: AgentState;
  readonly #probing: Probing;
  #abort: AbortController | undefined;

  constructor(state: AgentState, probing: Probing) {
    this.#state = state;
    this.#probing = probing;
  }

  /** Starts the work unless another runs; answers at once. */
  begin(kind: JobKind, work: (options: JobOptions) => Promise<Result<void>>): void {
    if (this.#state.job !== undefined) return;
    const abort = new AbortController();
    this.#abort = abort;
    const startedAt = this.#state.now();
    this.#state.job = { kind, startedAt, progress: undefined };
    this.#state.transition = this.#published(kind)?.[0];
    this.#state.changed();
    const onProgress = (progress: Progress): void => {
      if (this.#state.job?.kind === kind) this.#note(kind, startedAt, progress);
    };
    void this.#run(kind, work, { signal: abort.signal, onProgress });
  }

  #note(kind: JobKind, startedAt: Instant, progress: Progress): void {
    const { done, total } = progress;
    this.#state.job = { kind, startedAt, progress: describe(progress) };
    this.#state.jobProgressRatio =
      total === undefined || total <= 0 ? undefined : Math.min(1, done / total);
  }

  async #run(
    kind: JobKind,
    work: (options: JobOptions) => Promise<Result<void>>,
    options: JobOptions,
  ): Promise<void> {
    const { logger, meter } = this.#state.ports;
    const startedAt = this.#state.now();
    let failed: Failure | undefined;
    try {
      const result = await work(options);
      failed = result.ok ? undefined : result.error;
    } catch (error) {
      failed = failure(
        'bug',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    }
    const tookMillis = Math.round(since(startedAt, this.#state.now()));
    const fields = { job: kind, took_ms: tookMillis };
    if (failed === undefined) logger.log('info', 'job done', fields);
    else
      logger.log('error', 'job failed', {
        ...fields,
        code: failed.code,
        reason: failed.message,
        remedy: failed.remedy,
      });
    const outcome = failed === undefined ? 'done' : 'failed';
    meter.count('jobs_total', { kind, outcome });
    meter.observe('job_seconds', tookMillis, { kind });
    // The next decision sees the world as the job left it; what was found out about other data is void.
    if (REPLACES_DATA.has(kind)) this.#state.diagnosis = undefined;
    this.#state.directory = undefined;
    await this.#probing.refresh();
    this.#state.lastJob = { kind, startedAt, endedAt: this.#state.now(), failure: failed };
    this.#state.job = undefined;
    this.#state.jobProgressRatio = undefined;
    this.#state.transition = failed === undefined ? undefined : this.#published(kind)?.[1];
    this.#abort = undefined;
    this.#state.changed();
  }

  /** A start within a restart that was asked for is called what it is. */
  #published(kind: JobKind): readonly [PostgresState, PostgresState] | undefined {
    const restarting = kind === 'start' && this.#state.memory.restart !== undefined;
    return restarting ? ['restarting', 'restart failed'] : PUBLISHED[kind];
  }

  cancel(): void {
    this.#abort?.abort();
  }
}

function describe(progress: Progress): string {
  if (progress.total === undefined || progress.total === 0) return progress.what;
  return `${progress.what} ${Math.floor((100 * progress.done) / progress.total)} %`;
}
