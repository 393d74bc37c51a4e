import { done, fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import { instant, since } from '../../src/core/time.ts';
import type { Millis } from '../../src/core/time.ts';
import type { WatchdogOrder } from '../../src/core/watchdog.ts';
import { Watchdog } from '../../src/guardian/watchdog.ts';
import type { ArmedLease, GuardianState, PostmasterExit } from '../../src/ports/guardian.ts';
import type { Machine, Watch } from './model.ts';
import { SimProcess } from './process.ts';

const AHEAD_MILLIS = 50;

/**
 * The guardian process of a host: an actor of its own, which keeps one absolute deadline over one
 * postmaster whatever becomes of the agent.
 */
export class GuardianProcess implements Watch {
  readonly process: SimProcess;
  readonly #host: Machine;
  readonly #watchdog: Watchdog;
  #armed: ArmedLease | undefined;
  #lapsedId: string | undefined;
  #over: string | undefined;
  #lapsing = false;
  #exit: PostmasterExit | undefined;
  /** A postmaster that was started and not reaped yet. */
  #running = false;
  #cause: PostmasterExit['cause'] | undefined;
  #cancelDeadline: () => void = () => undefined;
  #awaitDown: (() => void)[] = [];
  #fencing: Promise<void> | undefined;
  /** The newest agent gives the orders and is told of changes. */
  onChange: (state: GuardianState) => void = () => undefined;

  constructor(host: Machine) {
    this.#host = host;
    this.#over = host.over;
    this.process = new SimProcess(host.world.queue, host.clock);
    this.#watchdog = new Watchdog({
      now: () => host.clock.now(),
      timer: (delay, callback) => this.process.after(host.clock.toWorld(delay), callback),
      open: (order) => host.watchdog.open(order),
      log: (_level, message, fields) => {
        host.world.trace(host.address, `guardian: ${message} ${JSON.stringify(fields)}`);
      },
      onChange: () => {
        this.#changed();
      },
    });
    host.postgres.onExit = () => {
      this.process.after(1, () => {
        this.#ended();
      });
    };
  }

  get armed(): ArmedLease | undefined {
    return this.#armed;
  }

  state(): GuardianState {
    const { postgres } = this.#host;
    return {
      kind: 'present',
      postmaster: this.#running
        ? { kind: 'up', pid: postgres.pid, startedAt: instant(postgres.startedAt) }
        : { kind: 'down', exit: this.#exit },
      armed: this.#armed,
      over: this.#over,
      watchdog: this.#watchdog.state,
    };
  }

  #changed(): void {
    this.onChange(this.state());
  }

  launch(): Result<{ readonly pid: number }> {
    const { postgres } = this.#host;
    if (this.#lapsing)
      return fail('guardian-ending', 'the guardian is stopping Postgres and starts none');
    if (this.#running || this.#fencing !== undefined)
      return fail('postmaster-running', 'a postmaster is running, starting or being fenced here');
    if (this.#host.disk.kind === 'absent')
      return fail('data-directory-missing', 'there is no data directory');
    this.#exit = undefined;
    this.#cause = undefined;
    this.#running = true;
    postgres.start();
    this.#changed();
    return ok({ pid: postgres.pid });
  }

  arm(lease: ArmedLease, watchdog?: WatchdogOrder): Result<void> {
    if ([this.#lapsedId, this.#over].includes(lease.leaseId) || this.#lapsing)
      return fail('lease-lapsed', 'the lease has ended on this host and Postgres was fenced');
    const fenceAt = this.#fenceAt(lease);
    if (
      lease.paused !== true &&
      fenceAt <= this.#host.clock.now() &&
      lease.leaseId !== this.#armed?.leaseId
    )
      return fail('deadline-passed', 'too little is left of the lease to guard it');
    this.#armed = lease;
    this.#host.witnessed.add(lease.leaseId);
    if (lease.paused === true) this.thaw();
    this.#watch();
    if (lease.paused === true) this.#watchdog.release();
    else this.#watchdog.guard(watchdog, lease.deadline, lease.fenceBudgetMillis);
    return done;
  }

  disarm(): Result<void> {
    if (this.#lapsing) return done;
    this.#armed = undefined;
    this.#cancelDeadline();
    if (this.#fencing === undefined) this.#watchdog.release();
    this.#changed();
    return done;
  }

  end(leaseId: string): Result<void> {
    if (this.#running || this.#host.postgres.up || this.#fencing !== undefined)
      return fail('postmaster-running', 'Postgres is not proved down');
    this.#keep(leaseId);
    if (this.#armed?.leaseId === leaseId) {
      this.#armed = undefined;
      this.#cancelDeadline();
      this.#watchdog.release();
    }
    this.#changed();
    return done;
  }

  /** On disk too, where that takes it. */
  #keep(leaseId: string): void {
    this.#over = leaseId;
    if (this.#host.trouble.diskFull) this.#host.witnessed.clear();
    else this.#host.over = leaseId;
  }

  #fenceAt = (lease: ArmedLease): number => lease.deadline - lease.fenceBudgetMillis - AHEAD_MILLIS;

  #watch(): void {
    this.#cancelDeadline();
    const lease = this.#armed;
    if (lease === undefined || lease.paused === true) return;
    const left = this.#fenceAt(lease) - this.#host.clock.now();
    const late = this.#host.world.chance() * this.#host.trouble.guardianLateMillis;
    const delay = this.#host.clock.toWorld(Math.max(0, left)) + late;
    this.#cancelDeadline = this.process.after(delay, () => {
      void this.#lapse(lease);
    });
  }

  /** After the host stood still: what is due is done before anything else runs. */
  checkDeadline(): void {
    const lease = this.#armed;
    // Its timer counts by the clock of the host, which may have stood still as well.
    if (this.#fencing === undefined) this.#watch();
    if (lease?.paused === true) return;
    if (lease !== undefined && this.#host.clock.now() >= this.#fenceAt(lease)) {
      this.#cancelDeadline();
      const left = since(this.#host.clock.now(), lease.deadline);
      if (left <= 0) this.#host.postgres.kill(false);
      void this.#lapse(lease);
    }
  }

  async #lapse(lease: ArmedLease): Promise<void> {
    this.#lapsing = true;
    this.#lapsedId = lease.leaseId;
    this.#host.world.trace(this.#host.address, 'guardian: lease not renewed in time, fences');
    await this.#kill('deadline');
    this.#keep(lease.leaseId);
    this.#lapsing = false;
    if (this.#armed?.leaseId === lease.leaseId) this.#armed = undefined;
    this.#watchdog.release();
    this.#changed();
  }

  async fence(): Promise<void> {
    await this.#kill('fenced');
  }

  freeze(): Result<void> {
    if (this.#armed === undefined || this.#lapsing)
      return fail('lease-not-armed', 'without a lease nothing would let the server go on');
    if (this.#armed.paused === true)
      return fail('lease-paused', 'a paused lease has no deadline that would end it');
    if (!this.#host.postgres.up) return fail('postmaster-not-running', 'there is no server');
    this.#host.postgres.process.freeze('brake');
    return done;
  }

  thaw(): void {
    this.#host.postgres.process.thaw('brake');
  }

  /** Until its last process is dead, the server acknowledges writes. */
  #kill(cause: 'deadline' | 'fenced'): Promise<void> {
    const { postgres, world, trouble } = this.#host;
    if (postgres.up) this.#cause = cause;
    this.#fencing ??= new Promise<void>((resolve) => {
      this.process.after(postgres.up ? 2 + world.chance() * trouble.fenceMillis : 2, () => {
        postgres.kill(false);
        this.process.after(2, () => {
          this.#fencing = undefined;
          this.#ended();
          resolve();
        });
      });
    });
    return this.#fencing;
  }

  stop(mode: 'fast' | 'immediate', timeoutMillis: Millis): Promise<Result<void>> {
    const { postgres } = this.#host;
    if (!this.#running) return Promise.resolve(done);
    this.#cause ??= 'stopped';
    if (mode === 'fast') postgres.stopFast();
    else this.process.after(5, () => postgres.stopImmediately());
    return new Promise((resolve) => {
      this.#awaitDown.push(() => {
        resolve(done);
      });
      this.process.after(timeoutMillis, () => {
        resolve(fail('stop-timed-out', 'Postgres has not ended in time'));
      });
    });
  }

  #ended(): void {
    if (this.#host.postgres.up || !this.#running) return;
    this.#running = false;
    this.#exit = {
      at: this.#host.clock.now(),
      code: undefined,
      signal: undefined,
      cause: this.#cause ?? 'exited',
    };
    const waiting = this.#awaitDown;
    this.#awaitDown = [];
    for (const resolve of waiting) resolve();
    this.#changed();
  }

  /** It dies; the kernel then signals the postmaster, which is its child. */
  die(): void {
    this.process.kill();
    this.#host.watchdog.holderDied();
    this.#host.postgres.kill(true);
  }
}
