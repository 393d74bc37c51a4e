import { unreachable } from '../core/assert.ts';
import { guardianFenceAt } from '../core/lease.ts';
import type { Result } from '../core/result.ts';
import { done, fail, failure, ok } from '../core/result.ts';
import { instant } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { WatchdogOrder } from '../core/watchdog.ts';
import { bootMillis } from './boottime.ts';
import { DeadlineWatch } from './deadline.ts';
import type { Journal } from './journal.ts';
import type { Postmaster } from './postmaster.ts';
import type { Request, StopMode, WireCommand, WireLease, WireState } from './protocol.ts';
import { DEADLINE_AHEAD_MAX_MILLIS } from './protocol.ts';
import type { RunRecord } from './record.ts';
import type { Watchdog } from './watchdog.ts';

/** The acknowledgement of a deadline waits no longer for the record on disk: the deadline itself is in force. */
const RECORD_BOUND_MILLIS = 100;
/** A requested end of the guardian: how long each way of stopping Postgres may take before the next. */
const TERMINATE_FAST_MILLIS = 60_000;
const TERMINATE_IMMEDIATE_MILLIS = 10_000;

export type Answer = Result<{ readonly pid?: number }>;
type Command = Exclude<Request, { type: 'hello' | 'state' }>;

const NOTHING: Answer = ok({});
const LAPSED = fail('lease-lapsed', 'the lease has ended on this host and Postgres was fenced');

/** Holds one deadline over one postmaster. Knows nothing of connections. */
export class GuardianCore {
  readonly #postmaster: Postmaster;
  readonly #record: RunRecord;
  readonly #watchdog: Watchdog;
  readonly #journal: Journal;
  readonly #onChange: () => void;
  readonly #onShutdown: () => void;
  readonly #watch = new DeadlineWatch(() => {
    void this.#lapse();
  });
  #armed: WireLease | undefined;
  /** A lapsed lease is over: nothing revives it. */
  #lapsedId: string | undefined;
  /** The newest one under which Postgres was proved down for good; also of a guardian before this one. */
  #over: string | undefined;
  #lapsing = false;
  #recordFailed = false;
  /** The server was stopped where it was, as asked. */
  #frozen = false;
  #terminating = false;

  constructor(options: {
    readonly postmaster: Postmaster;
    readonly record: RunRecord;
    /** The lease that a guardian before this one has found over. */
    readonly over: string | undefined;
    readonly watchdog: Watchdog;
    readonly journal: Journal;
    readonly onChange: () => void;
    readonly onShutdown: () => void;
  }) {
    this.#postmaster = options.postmaster;
    this.#record = options.record;
    this.#over = options.over;
    this.#watchdog = options.watchdog;
    this.#journal = options.journal;
    this.#onChange = options.onChange;
    this.#onShutdown = options.onShutdown;
  }

  state(): WireState {
    return {
      postmaster: this.#postmaster.state,
      armed: this.#armed ?? null,
      over: this.#over ?? null,
      fencing: this.#postmaster.fencing,
      deathSignal: this.#postmaster.deathSignal,
      watchdog: this.#watchdog.state,
    };
  }

  /** Nothing runs that needs a guardian, and nothing is armed. */
  get idle(): boolean {
    return (
      this.#postmaster.state.kind === 'down' &&
      this.#armed === undefined &&
      this.#postmaster.fencing === null
    );
  }

  handle(request: Command): Promise<Answer> {
    switch (request.type) {
      case 'launch':
        return this.#launch(request.command);
      case 'arm':
        return this.#arm(request.lease, request.watchdog);
      case 'pause':
        return this.#pause(request.lease);
      case 'disarm':
        return this.#disarm();
      case 'end':
        return this.#end(request.leaseId);
      case 'stop':
        return this.#stop(request.mode, request.timeoutMillis);
      case 'fence':
        return this.#fence(request.reason);
      case 'freeze':
        return Promise.resolve(this.#freeze());
      case 'thaw':
        return Promise.resolve(this.#thaw());
      case 'shutdown':
        return Promise.resolve(this.#shutdown());
      default:
        return unreachable(request);
    }
  }

  async #launch(command: WireCommand): Promise<Answer> {
    if (this.#terminating || this.#lapsing) {
      return fail('guardian-ending', 'the guardian is stopping Postgres and starts none');
    }
    return this.#postmaster.launch(command);
  }

  async #stop(mode: StopMode, timeoutMillis: Millis): Promise<Answer> {
    const stopped = await this.#postmaster.stop(mode, timeoutMillis);
    return stopped.ok ? NOTHING : stopped;
  }

  async #fence(reason: string): Promise<Answer> {
    await this.#postmaster.fence('fenced', reason);
    return NOTHING;
  }

  /** Only under a deadline that ends it: whoever asked may be gone before the lease is renewed. */
  #freeze(): Answer {
    if (this.#armed === undefined || this.#lapsing) {
      return fail('lease-not-armed', 'without a lease nothing would let the server go on');
    }
    if (this.#armed.paused === true) {
      return fail('lease-paused', 'a paused lease has no deadline that would end it');
    }
    const processes = this.#postmaster.freeze();
    if (processes === 0) return fail('postmaster-not-running', 'there is no server to freeze here');
    this.#frozen = true;
    this.#journal.log('warn', 'server frozen until the lease is renewed or over', { processes });
    return NOTHING;
  }

  #thaw(): Answer {
    const processes = this.#postmaster.thaw();
    if (this.#frozen) this.#journal.log('info', 'server goes on', { processes });
    this.#frozen = false;
    return NOTHING;
  }

  #isOver({ leaseId }: WireLease): boolean {
    return this.#lapsing || leaseId === this.#lapsedId || leaseId === this.#over;
  }

  #refuseLease(lease: WireLease, fenceAt: number, now: number): Result<void> {
    if (this.#isOver(lease)) return LAPSED;
    if (lease.ttlMillis <= 0 || lease.fenceBudgetMillis < 0) {
      return fail('lease-malformed', 'a lease needs a ttl above 0 and a fence budget of 0 or more');
    }
    if (lease.deadline - now > DEADLINE_AHEAD_MAX_MILLIS) {
      return fail(
        'deadline-implausible',
        'the deadline is more than an hour ahead: it is not on the boot-time clock of this host',
      );
    }
    if (fenceAt <= now && lease.leaseId !== this.#armed?.leaseId) {
      return fail('deadline-passed', 'too little is left of the lease to guard it');
    }
    return done;
  }

  async #arm(lease: WireLease, watchdog: WatchdogOrder | undefined): Promise<Answer> {
    const now = bootMillis();
    const fenceAt = guardianFenceAt(instant(lease.deadline), lease.fenceBudgetMillis);
    const refused = this.#refuseLease(lease, fenceAt, now);
    if (!refused.ok) return refused;
    const before = this.#armed;
    if (
      before?.leaseId !== lease.leaseId ||
      before.paused === true ||
      lease.deadline < before.deadline
    ) {
      const leftMillis = Math.round(lease.deadline - now);
      this.#journal.log('info', 'armed', { lease: lease.leaseId, n: lease.n, leftMillis });
    }
    this.#armed = lease;
    this.#watch.set(fenceAt);
    if (this.#lapsing) return fail('deadline-passed', 'the lease was shortened to its end: fenced');
    // What becomes of the device is told before the answer, which a promotion may wait for.
    if (watchdog !== undefined || this.#postmaster.fencing === null) {
      this.#watchdog.guard(watchdog, instant(lease.deadline), lease.fenceBudgetMillis);
    }
    await this.#putRecord();
    return NOTHING;
  }

  /**
   * The store holds the lease as paused: nobody takes it over, so no time ends it. A lapse that has
   * begun is not called off.
   */
  async #pause(lease: WireLease): Promise<Answer> {
    if (this.#isOver(lease)) return LAPSED;
    if (this.#armed?.leaseId !== lease.leaseId || this.#armed.paused !== true) {
      this.#journal.log('info', 'paused: no deadline', { lease: lease.leaseId, n: lease.n });
    }
    this.#armed = lease;
    this.#watch.clear();
    this.#standDown();
    // What stands still without a deadline, nobody might ever wake.
    if (this.#frozen) this.#thaw();
    await this.#putRecord();
    return NOTHING;
  }

  async #disarm(): Promise<Answer> {
    if (this.#armed !== undefined && !this.#lapsing) {
      this.#journal.log('info', 'disarmed', { lease: this.#armed.leaseId });
      this.#armed = undefined;
      this.#watch.clear();
      this.#standDown();
      await this.#putRecord();
      this.#onChange();
    }
    return NOTHING;
  }

  /**
   * Nothing is done under this lease any more, and its Postgres is down. Kept for whoever comes next,
   * who could not tell otherwise; what cannot be written down is known for as long as this process lives.
   */
  async #end(leaseId: string): Promise<Answer> {
    if (!this.#postmaster.isGone) {
      return fail('postmaster-running', 'Postgres is not proved down, so no lease of it is over');
    }
    if (this.#over === leaseId) return NOTHING;
    this.#journal.log('info', 'over: Postgres is down, and is not started under it again', {
      lease: leaseId,
    });
    this.#over = leaseId;
    if (this.#armed?.leaseId === leaseId) {
      this.#armed = undefined;
      this.#watch.clear();
      this.#watchdog.release();
    }
    await this.#putRecord();
    this.#onChange();
    return NOTHING;
  }

  /** Stops the watchdog device, but not before a fence that is under way has been proved. */
  #standDown(): void {
    if (this.#postmaster.fencing === null) {
      this.#watchdog.release();
      return;
    }
    void this.#postmaster.proved().then(() => {
      if (this.#armed === undefined || this.#armed.paused === true) this.#watchdog.release();
    });
  }

  /** This process is about to end. With a server that may be running the device is left to count down. */
  close(): void {
    const { state, fencing } = this.#postmaster;
    if (state.kind === 'down' && fencing === null) this.#watchdog.release();
  }

  /** The guardian itself remembers the lease, so a record that cannot be written costs no writes. */
  async #putRecord(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Result<void>>((resolve) => {
      timer = setTimeout(() => {
        resolve({ ok: false, error: failure('run-record-late', 'the disk does not answer') });
      }, RECORD_BOUND_MILLIS);
    });
    const facts = { armed: this.#armed, over: this.#over };
    const written = await Promise.race([this.#record.put(facts), late]);
    clearTimeout(timer);
    if (!written.ok && !this.#recordFailed) {
      this.#journal.log('warn', 'the lease is guarded, but not recorded', { ...written.error });
    }
    this.#recordFailed = !written.ok;
  }

  /** The end of the lease is near and nobody extended it: fence, whatever the agent does. */
  async #lapse(): Promise<void> {
    const lease = this.#armed;
    if (lease === undefined) return;
    this.#lapsing = true;
    this.#lapsedId = lease.leaseId;
    const begun = bootMillis();
    // The killing is done when this call returns its promise; all else can wait.
    const fenced = this.#postmaster.fence('deadline', 'the lease was not renewed in time');
    // Once nothing of the server is left: that the dead are reaped as well is not waited for.
    void this.#postmaster.proved().then(() => {
      this.#watchdog.release();
    });
    this.#journal.log('warn', 'lease not renewed in time: fencing', {
      lease: lease.leaseId,
      leftMillis: Math.round(lease.deadline - begun),
    });
    this.#onChange();
    const report = await fenced;
    const leftMillis = Math.round(lease.deadline - bootMillis());
    const level = leftMillis < 0 ? 'error' : 'warn';
    this.#journal.log(level, 'lease ended, server proved down', {
      lease: lease.leaseId,
      killed: report.killed,
      tookMillis: report.tookMillis,
      leftMillis,
    });
    this.#armed = undefined;
    this.#over = lease.leaseId;
    this.#lapsing = false;
    await this.#putRecord();
    this.#onChange();
  }

  #shutdown(): Answer {
    if (this.#postmaster.state.kind === 'up') {
      return fail('postmaster-running', 'the guardian does not leave a running postmaster alone');
    }
    // After the answer has been written.
    setImmediate(this.#onShutdown);
    return NOTHING;
  }

  /**
   * The guardian was asked to end, with the whole unit or container: stops Postgres first. The
   * deadline stays in force meanwhile. Asked again, it stops Postgres immediately.
   */
  async terminate(signal: string): Promise<void> {
    this.#journal.log('info', 'asked to end', { signal });
    if (this.#terminating) {
      await this.#postmaster.stop('immediate', TERMINATE_IMMEDIATE_MILLIS);
      return;
    }
    this.#terminating = true;
    const steps: readonly (readonly ['fast' | 'immediate', Millis])[] = [
      ['fast', TERMINATE_FAST_MILLIS],
      ['immediate', TERMINATE_IMMEDIATE_MILLIS],
    ];
    for (const [mode, boundMillis] of steps) {
      const stopped = await this.#postmaster.stop(mode, boundMillis);
      if (stopped.ok) break;
      this.#journal.log('warn', stopped.error.message);
    }
    if (this.#postmaster.state.kind === 'up') {
      await this.#postmaster.fence('fenced', 'the guardian was asked to end');
    }
    // No time ends a paused lease, and nobody is left who knows that its Postgres is down.
    if (this.#armed?.paused === true) await this.#end(this.#armed.leaseId);
    this.#onShutdown();
  }
}
