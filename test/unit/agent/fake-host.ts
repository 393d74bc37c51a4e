import { BRAKE_NAMES } from '../../../src/core/brake.ts';
import type { DataDirectory, ProbeAnswer } from '../../../src/core/postgres.ts';
import type { WatchdogOrder } from '../../../src/core/watchdog.ts';
import { Watchdog } from '../../../src/guardian/watchdog.ts';
import { FakeWatchdog } from '../../harness/fake-watchdog.ts';
import { guardianFenceAt } from '../../../src/core/lease.ts';
import { done, fail, ok } from '../../../src/core/result.ts';
import type { Result } from '../../../src/core/result.ts';
import type { Lsn } from '../../../src/core/lsn.ts';
import { plus, since } from '../../../src/core/time.ts';
import type { Instant, Millis } from '../../../src/core/time.ts';
import type {
  ArmedLease,
  Guardian,
  GuardianState,
  PostmasterExit,
} from '../../../src/ports/guardian.ts';
import { NO_HOST_MEMORY } from '../../../src/ports/host-state.ts';
import type { HostMemory } from '../../../src/core/view.ts';
import { sleep } from '../../../src/ports/clock.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { CommitHold } from '../../../src/ports/postgres.ts';
import { LAST_RECORD } from '../../harness/elections.ts';
import { aReplicationRow } from '../../harness/sync-views.ts';
import { END, someControl, someFacts, SYSTEM } from '../../harness/views.ts';
import type { FakeLife } from './fake-life.ts';

const GUARDIAN_TIMEOUT_MILLIS: Millis = 500;

/**
 * One host: a Postgres that is up or not, a standby or not, under a guardian that keeps one deadline
 * whatever becomes of the agent. Everything but time happens at once.
 */
export class FakeHost {
  readonly name: string;
  readonly #clock: Clock;
  readonly #note: (event: string) => void;
  /** What the host state file says. */
  diskFull = false;
  facts: HostMemory = { ...NO_HOST_MEMORY, systemIdentifier: SYSTEM };
  inRecovery = true;
  timeline = 3;
  /** Probes get no answer, though the server is well. */
  probesUnanswered = false;
  /** Whoever asks is told this instead of what the server is. */
  turnsAway: string | undefined;
  /** Its processes wait for a disk and do not die. */
  survivesFences = false;
  /** Its postmaster ends while it starts. */
  cannotStart = false;
  /** Its guardian is of an older version: a lease that is paused keeps its deadline. */
  knowsNoPause = false;
  /** The guardian does not answer to a deadline. */
  takesNoDeadline = false;
  /** Room on its disk. */
  freeBytes = 10_000_000_000;
  /** Promotions are refused. */
  cannotPromote = false;
  /** `synchronous_standby_names` as Postgres reads it, and as it has been told. */
  names = '';
  told: string | undefined;
  /** It does not read its configuration again. */
  ignoresReload = false;
  /** Members that stream from this host, and how far they have flushed. */
  standbys: Readonly<Record<string, Lsn>> = {};
  /** The position of a standby; a primary is at the end. */
  position: Lsn = END;
  /** The guardian stands still: it takes and does nothing, until it is replaced at the next launch. */
  guardianFrozen = false;
  /** How long the disk takes to keep that a lease is over; the guardian knows it at once. */
  keepMillis: Millis = 0;
  /** It resets nothing but counts its resets. */
  readonly device: FakeWatchdog;
  readonly #watchdog: Watchdog;
  /** How long a requested stop takes. */
  stopMillis: Millis = 20;
  /** Somebody who streams from it has vanished: a fast stop writes its last record, and waits. */
  hasVanishedReceiver = false;
  #wroteLast = false;
  /** Its checkpointer takes no notice of a brake. */
  checkpointerBusy = false;
  /** Every process of the server stands still. */
  frozen = false;
  cannotFreeze = false;
  /** The file of the commit brake is there, and commits wait for it. */
  braked = false;
  holding = false;
  #letGo: () => void = () => undefined;
  #up = true;
  #pid = 100;
  #startedAt: Instant;
  #armed: ArmedLease | undefined;
  /** Fenced under, or given away: never armed again. */
  over: string | undefined;
  #exit: PostmasterExit | undefined;
  #cancelDeadline: () => void = () => undefined;
  #listener: () => void = () => undefined;

  constructor(name: string, clock: Clock, note: (event: string) => void) {
    this.name = name;
    this.#clock = clock;
    this.#note = note;
    this.device = new FakeWatchdog(
      (delay, callback) => clock.timer(delay, callback),
      () => {
        note('reset by the watchdog');
        this.end('exited');
      },
    );
    this.#watchdog = new Watchdog({
      now: () => clock.now(),
      timer: (delay, callback) =>
        clock.timer(delay, () => {
          if (!this.guardianFrozen) callback();
        }),
      open: (order) => this.device.open(order),
      log: () => undefined,
      onChange: () => {
        this.#listener();
      },
    });
    // Longer than any start may take.
    this.#startedAt = plus(clock.now(), -600_000);
  }

  get up(): boolean {
    return this.#up;
  }

  get writable(): boolean {
    return this.#up && !this.inRecovery;
  }

  /** A commit that is asked for now would be acknowledged. */
  get acknowledges(): boolean {
    return this.writable && !this.holding && !this.frozen;
  }

  get armed(): ArmedLease | undefined {
    return this.#armed;
  }

  state(): GuardianState {
    return {
      kind: 'present',
      armed: this.#armed,
      over: this.over,
      watchdog: this.#watchdog.state,
      postmaster: this.#up
        ? { kind: 'up', pid: this.#pid, startedAt: this.#startedAt }
        : { kind: 'down', exit: this.#exit },
    };
  }

  /** Guards the lease from now on, as an agent before had told it to. */
  arm(lease: ArmedLease, watchdog?: WatchdogOrder): Result<void> {
    if (lease.paused === true)
      return this.knowsNoPause
        ? this.arm({ ...lease, paused: false }, watchdog)
        : this.#lift(lease);
    if (this.takesNoDeadline) return fail('guardian-unresponsive', 'the guardian has not answered');
    const fenceAt = guardianFenceAt(lease.deadline, lease.fenceBudgetMillis);
    const now = this.#clock.now();
    if (lease.leaseId === this.over) return fail('lease-lapsed', 'fenced under this lease');
    if (fenceAt <= now && lease.leaseId !== this.#armed?.leaseId)
      return fail('deadline-passed', 'too little is left of the lease');
    this.#armed = lease;
    this.#cancelDeadline();
    this.#cancelDeadline = this.#clock.timer(Math.max(0, since(now, fenceAt)), () => {
      if (this.guardianFrozen) return;
      this.over = lease.leaseId;
      this.#armed = undefined;
      this.end('deadline');
      this.#watchdog.release();
    });
    this.#watchdog.guard(watchdog, lease.deadline, lease.fenceBudgetMillis);
    return done;
  }

  #lift(lease: ArmedLease): Result<void> {
    if (lease.leaseId === this.over) return fail('lease-lapsed', 'fenced under this lease');
    this.#armed = lease;
    this.#cancelDeadline();
    this.#watchdog.release();
    return done;
  }

  disarm(): Result<void> {
    this.#armed = undefined;
    this.#cancelDeadline();
    this.#watchdog.release();
    return done;
  }

  #endLease(leaseId: string): Result<void> {
    if (this.#up) return fail('postmaster-running', 'Postgres is not down');
    this.over = leaseId;
    return this.#armed?.leaseId === leaseId ? this.disarm() : done;
  }

  /** A host on which nothing has been started yet. */
  rest(): void {
    this.#up = false;
  }

  /** Tells the agent its state, changed or not. */
  tell(): void {
    this.#listener();
  }

  /** Postgres ends, for whatever reason. */
  end(cause: PostmasterExit['cause']): void {
    if (this.#up) this.#note(`${this.writable ? 'primary' : 'standby'} ended (${cause})`);
    this.#up = false;
    this.#exit = { at: this.#clock.now(), code: undefined, signal: undefined, cause };
    this.#listener();
  }

  #launch(): Result<{ readonly pid: number }> {
    if (this.cannotStart) return fail('postgres-not-executable', 'Postgres cannot be run');
    if (this.guardianFrozen) this.disarm();
    this.guardianFrozen = false;
    this.#up = true;
    this.inRecovery = true;
    this.#pid += 1;
    this.#startedAt = this.#clock.now();
    this.names = this.told ?? '';
    this.braked = false;
    this.holding = false;
    this.frozen = false;
    this.#note('started as a standby');
    this.#listener();
    return ok({ pid: this.#pid });
  }

  promote(): Result<void> {
    if (!this.#up || this.cannotPromote) return fail('promote', 'the server does not promote');
    this.inRecovery = false;
    this.timeline += 1;
    this.#note(`promoted to timeline ${this.timeline}, waits for ${this.names || 'nobody'}`);
    return done;
  }

  probe(): ProbeAnswer {
    if (!this.#up) return { kind: 'unreachable', reason: 'nobody listens' };
    if (this.probesUnanswered || this.frozen) return { kind: 'silent', reason: 'no answer' };
    if (this.turnsAway !== undefined) return { kind: 'refusing', reason: this.turnsAway };
    const { timeline } = this;
    const synchronousStandbyNames = this.braked ? BRAKE_NAMES : this.names;
    const { position } = this;
    const replication = Object.entries(this.standbys).map(([name, flushLsn]) =>
      aReplicationRow(name, { flushLsn }),
    );
    const facts = this.inRecovery
      ? someFacts({
          timeline,
          receiverTimeline: timeline,
          synchronousStandbyNames,
          receivedLsn: position,
          replayedLsn: position,
        })
      : someFacts({
          synchronousStandbyNames,
          replication,
          inRecovery: false,
          timeline,
          flushLsn: END,
          receivedLsn: undefined,
          replayedLsn: undefined,
          receiverState: undefined,
        });
    return { kind: 'answered', tookMillis: 1, facts };
  }

  setNames(names: string | undefined): Result<void> {
    this.told = names;
    if (!this.#up || this.ignoresReload) return done;
    this.names = names ?? '';
    if (!this.inRecovery) this.#note(`waits for ${this.names || 'nobody'}`);
    return done;
  }

  /** As asked for by a run of an agent; `ended` when commits wait no more. */
  async holdCommits(life: FakeLife, timeoutMillis: Millis): Promise<CommitHold> {
    await life.hears(Promise.resolve());
    if (!this.#up) return { kind: 'unseen', why: 'no answer' };
    if (this.inRecovery) return { kind: 'standby' };
    this.braked = true;
    if (this.checkpointerBusy) {
      await sleep(life.clock, timeoutMillis);
      return { kind: 'unseen', why: 'no commit was seen waiting' };
    }
    if (!this.holding) this.#note('holds commits');
    this.holding = true;
    const ended = new Promise<void>((resolve) => {
      this.#letGo = resolve;
    });
    return { kind: 'waits', ended: life.hears(ended) };
  }

  releaseCommits(): Result<void> {
    if (this.holding) this.letGo();
    this.braked = false;
    return done;
  }

  /** Whoever waited for a commit goes on, asked to or not. */
  letGo(): void {
    this.#note('acknowledges commits again');
    this.holding = false;
    this.#letGo();
  }

  directory(): DataDirectory {
    const running = this.inRecovery ? 'in archive recovery' : 'in production';
    const stopped = this.inRecovery ? 'shut down in recovery' : 'shut down';
    const clean = this.#exit?.cause === 'stopped';
    return {
      kind: 'cluster',
      majorVersion: 15,
      control: someControl({
        state: (!this.#up && clean) || this.#wroteLast ? stopped : running,
        timeline: this.timeline,
        checkpointLsn: LAST_RECORD,
      }),
      standbySignal: true,
      backupLabel: false,
    };
  }

  /** The guardian, as one run of an agent reaches it. */
  guardian(life: FakeLife): Guardian {
    const soon = async <T>(act: () => T): Promise<T> => life.hears(Promise.resolve().then(act));
    const asked = async (act: () => Result<void>): Promise<Result<void>> => {
      if (!this.guardianFrozen) return soon(act);
      return life.hears(
        new Promise((resolve) => {
          this.#clock.timer(GUARDIAN_TIMEOUT_MILLIS, () => {
            resolve(fail('guardian-unresponsive', 'the guardian has not answered'));
          });
        }),
      );
    };
    return {
      attach: async () => soon(() => this.state()),
      state: () => this.state(),
      onChange: (listener) => {
        this.#listener = () => {
          if (life.alive) listener();
        };
      },
      launch: async () => soon(() => this.#launch()),
      arm: async (lease, watchdog) => asked(() => this.arm(lease, watchdog)),
      disarm: async () => asked(() => this.disarm()),
      end: async (leaseId) => {
        const ended = await asked(() => this.#endLease(leaseId));
        if (this.keepMillis > 0) await life.hears(sleep(this.#clock, this.keepMillis));
        return ended;
      },
      freeze: async () =>
        asked(() => {
          if (this.cannotFreeze) return fail('guardian-unresponsive', 'not frozen');
          this.frozen = true;
          this.#note('frozen');
          return done;
        }),
      thaw: async () =>
        asked(() => {
          if (this.frozen) this.#note('goes on');
          this.frozen = false;
          return done;
        }),
      stop: async (mode, timeoutMillis) =>
        life.hears(
          new Promise((resolve) => {
            const waits = this.hasVanishedReceiver && mode === 'fast';
            this.#clock.timer(waits ? timeoutMillis : this.stopMillis, () => {
              this.#wroteLast = waits;
              if (!waits) this.end('stopped');
              resolve(waits ? fail('stop-timed-out', 'it waits for a receiver') : done);
            });
          }),
        ),
      fence: async () =>
        soon(() => {
          if (this.survivesFences)
            return fail('fence-unproved', 'processes of Postgres do not die');
          this.end('fenced');
          return done;
        }),
      detach: async () => soon(() => undefined),
    };
  }
}
