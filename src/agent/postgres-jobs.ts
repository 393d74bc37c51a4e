import type { Target } from '../core/action.ts';
import { formatLsn, LSN_ZERO, parseLsn } from '../core/lsn.ts';
import type { Upstream } from '../core/postgres.ts';
import { done, fail, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { since } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { Diagnosis, HostMemory } from '../core/view.ts';
import { sleep } from '../ports/clock.ts';
import type { JobOptions } from '../ports/postgres.ts';
import { readDisk } from './disk.ts';
import { followedNow, noteUpstream, updateHost } from './host-memory.ts';
import type { Probing } from './probing.ts';
import type { Promotion } from './promotion.ts';
import type { AgentState } from './state.ts';
import { Stopping } from './stopping.ts';
import type { Synchronous } from './synchronous.ts';

const HISTORY_TIMEOUT_MILLIS: Millis = 3000;
const CHECKPOINT_TIMEOUT_MILLIS: Millis = 60_000;

const NOT_SAVED = fail('host-state', 'the host state could not be saved');

/** The long work on Postgres, step by step; each step re-checks what it relies on. */
export class PostgresJobs {
  readonly #state: AgentState;
  readonly #probing: Probing;
  readonly #promotion: Promotion;
  readonly #synchronous: Synchronous;
  readonly #stopping: Stopping;

  constructor(state: AgentState, probing: Probing, promotion: Promotion, synchronous: Synchronous) {
    this.#state = state;
    this.#probing = probing;
    this.#promotion = promotion;
    this.#synchronous = synchronous;
    this.#stopping = new Stopping(state);
  }

  /** Always as a standby (I4); promotion is a step of its own, under a lease. */
  async start(target: Target): Promise<Result<void>> {
    const room = await this.#lookForRoom();
    if (!room.ok) return room;
    await this.#promotion.settleAnticipated();
    if (!(await noteUpstream(this.#state, target))) return NOT_SAVED;
    const waits = await this.#synchronous.prepareStandby();
    if (!waits.ok) return waits;
    const { postgres, guardian } = this.#state.ports;
    const prepared = await postgres.prepareStart({
      ...target,
      leading: this.#state.held !== undefined,
    });
    if (!prepared.ok) return prepared;
    if (this.#state.held === undefined && guardian.state().kind === 'present') {
      const disarmed = await guardian.disarm();
      if (!disarmed.ok) return disarmed;
    }
    const launched = await guardian.launch(prepared.value);
    if (!launched.ok) return launched;
    this.#state.standbyPid = launched.value.pid;
    return this.#awaitAnswer(this.#state.ports.settings.current().postgres.pgCtlTimeoutMillis);
  }

  /**
   * A leader's Postgres that has just crashed may have done so on a disk that was not full when it was
   * looked at last: that is found out before a start, which could hang there. Known, it is decided upon.
   */
  async #lookForRoom(): Promise<Result<void>> {
    const state = this.#state;
    if (state.held === undefined || state.disk?.fullSince !== undefined) return done;
    const disk = await readDisk(state);
    if (disk?.fullSince === undefined) return done;
    return fail(
      'disk-full',
      `Postgres is not started: only ${disk.freeBytes} bytes are free where its data are`,
      'Free space on that filesystem.',
    );
  }

  /** Until it accepts connections, ends, or the bound: recovery may take longer than any job should. */
  async #awaitAnswer(boundMillis: Millis): Promise<Result<void>> {
    const { clock } = this.#state.ports;
    const begun = this.#state.now();
    while (since(begun, this.#state.now()) < boundMillis) {
      const postmaster = this.#state.postmaster();
      if (postmaster.kind === 'down') {
        return fail(
          'postgres-start-failed',
          'the postmaster ended while starting',
          `read the log of Postgres in ${this.#state.ports.settings.current().postgres.dataDir}`,
        );
      }
      await this.#probing.refresh();
      if (this.#state.probe?.value.kind === 'answered') return done;
      await sleep(clock, 50);
    }
    return done;
  }

  async stop(mode: 'fast' | 'immediate'): Promise<Result<void>> {
    return this.#stopping.stop(mode);
  }

  async checkpoint(): Promise<Result<void>> {
    return this.#state.ports.postgres.checkpoint(CHECKPOINT_TIMEOUT_MILLIS);
  }

  async initialise(options: JobOptions): Promise<Result<void>> {
    const { settings, postgres } = this.#state.ports;
    const bootstrap = settings.current().bootstrap;
    if (bootstrap === undefined)
      return fail('no-bootstrap', 'the configuration has no bootstrap section');
    const made = await postgres.initialise(bootstrap, options);
    if (!made.ok) return made;
    const directory = await postgres.inspectDataDirectory();
    if (directory.kind !== 'cluster')
      return fail('initialise', 'the new data directory cannot be read');
    return this.#noteNewData(undefined, directory.control.systemIdentifier);
  }

  async finishBootstrap(options: JobOptions): Promise<Result<void>> {
    const { settings, postgres } = this.#state.ports;
    const bootstrap = settings.current().bootstrap;
    const answer = this.#state.probe?.value;
    if (bootstrap === undefined || answer?.kind !== 'answered')
      return fail('no-bootstrap', 'Postgres does not answer');
    const finished = await postgres.finishBootstrap(bootstrap, options.signal);
    if (!finished.ok) return finished;
    return this.#note({ systemIdentifier: answer.facts.systemIdentifier });
  }

  async clone(source: Upstream, target: Target, options: JobOptions): Promise<Result<void>> {
    // Of whom the copy is taken: another may lead by the time that it is complete.
    const followed = followedNow(this.#state, source.name);
    const cloned = await this.#state.ports.postgres.clone(source, target, options);
    return cloned.ok ? this.#noteNewData(followed, undefined) : cloned;
  }

  /** A server that was killed has crash recovery to do first: pg_rewind takes only what was shut down. */
  async rewind(source: Upstream, options: JobOptions): Promise<Result<void>> {
    const { postgres } = this.#state.ports;
    const followed = followedNow(this.#state, source.name);
    const directory = await postgres.inspectDataDirectory();
    if (directory.kind === 'cluster' && !directory.control.state.startsWith('shut down')) {
      const recovered = await postgres.recoverSingleUser(options);
      if (!recovered.ok) return recovered;
    }
    const rewound = await postgres.rewind(source, options);
    return rewound.ok ? this.#noteNewData(followed, undefined) : rewound;
  }

  /** What the former data were promoted under says nothing about these. */
  async #noteNewData(
    followed: HostMemory['followed'],
    founding: HostMemory['founding'],
  ): Promise<Result<void>> {
    return this.#note({ promotions: [], led: [], followed, founding });
  }

  async #note(known: Partial<HostMemory>): Promise<Result<void>> {
    const saved = await updateHost(this.#state, (host) => ({ ...host, ...known }));
    return saved ? done : NOT_SAVED;
  }

  async setAside(reason: string): Promise<Result<void>> {
    const moved = await this.#state.ports.postgres.setAside(reason);
    return moved.ok ? done : moved;
  }

  /** Collects the evidence that a rejoin is decided from; given up at once when it is not needed any more. */
  async diagnose(
    source: Upstream,
    generationId: string,
    signal: AbortSignal,
  ): Promise<Result<void>> {
    const evidence = this.#collect(source, generationId);
    const diagnosis = await Promise.race([evidence, aborted(signal)]);
    if (diagnosis !== undefined) this.#state.diagnosis = diagnosis;
    return done;
  }

  async #collect(source: Upstream, generationId: string): Promise<Diagnosis> {
    const { postgres } = this.#state.ports;
    const own = await this.#ownEnd();
    if (!own.ok)
      this.#state.ports.logger.log('warn', 'the end of the own log cannot be read', {
        code: own.error.code,
        reason: own.error.message,
        remedy: own.error.remedy,
      });
    const history = await postgres.readSourceHistory(source, HISTORY_TIMEOUT_MILLIS);
    const endLsn = own.ok ? parseLsn(own.value.lsn) : undefined;
    const timeline = own.ok ? own.value.timeline : 0;
    const walAvailable =
      history.ok && endLsn !== undefined
        ? await postgres.walAvailable(source, timeline, endLsn, HISTORY_TIMEOUT_MILLIS)
        : 'unknown';
    return {
      at: this.#state.now(),
      sourceName: source.name,
      generationId,
      own: { timeline, endLsn },
      source: history.ok ? history.value : undefined,
      walAvailable,
      why: history.ok ? undefined : history.error.message,
    };
  }

  /** Where the own log ends: asked of a running server, read from the files of a stopped one. */
  async #ownEnd(): Promise<Result<{ readonly timeline: number; readonly lsn: string }>> {
    const state = this.#state;
    const answer = state.probe?.value;
    if (state.postmaster().kind === 'up' && answer?.kind === 'answered') {
      const facts = answer.facts;
      const position = facts.receivedLsn ?? facts.replayedLsn ?? LSN_ZERO;
      const replayed = facts.replayedLsn ?? LSN_ZERO;
      const end = position > replayed ? position : replayed;
      return ok({ timeline: facts.timeline, lsn: formatLsn(end) });
    }
    return state.ports.postgres.readEndOfWal(HISTORY_TIMEOUT_MILLIS * 5);
  }
}

const aborted = async (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve(undefined);
        },
        { once: true },
      );
  });
