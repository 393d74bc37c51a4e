import { randomBytes } from 'node:crypto';
import { FREEZE_MILLIS } from '../../core/brake.ts';
import type { Failure, Result } from '../../core/result.ts';
import { done, err, fail, ok } from '../../core/result.ts';
import type { Millis } from '../../core/time.ts';
import { plus } from '../../core/time.ts';
import type { WatchdogOrder } from '../../core/watchdog.ts';
import { fenceServer, findServer, targetOf } from '../../guardian/fence.ts';
import { freezeServer, thawServer } from '../../guardian/freeze.ts';
import { findRunning, readProcess, signalExactly } from '../../guardian/procfs.ts';
import type { ProcessIdentity } from '../../guardian/procfs.ts';
import type { Request, WireState } from '../../guardian/protocol.ts';
import { readOver, RunRecord } from '../../guardian/record.ts';
import { preparePrivateDirectory } from '../../guardian/rundir.ts';
import type { Clock } from '../../ports/clock.ts';
import { sleep } from '../../ports/clock.ts';
import type { ArmedLease, Guardian, GuardianState } from '../../ports/guardian.ts';
import type { LaunchCommand } from '../../ports/postgres.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { UNANSWERED, UNREACHABLE } from './connection.ts';
import { findForeign } from './foreign.ts';
import { GuardianLink, SUPERSEDED } from './link.ts';
import { stateOf } from './mapping.ts';

export interface GuardianOptions {
  readonly dataDir: string;
  /** Private to the user that runs the agent; made when missing. */
  readonly runDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The guardian's main.js. */
  readonly executable: string;
  readonly idleExitMillis?: Millis;
  /** Flags for the guardian's Node; by default those that keep it small. */
  readonly nodeFlags?: readonly string[];
}

const ATTACH_BOUND_MILLIS: Millis = 2000;
const LAUNCH_TIMEOUT_MILLIS: Millis = 5000;
const REQUEST_TIMEOUT_MILLIS: Millis = 500;
/** Past this the agent does not wait for the guardian, but kills by itself. */
const FENCE_ASK_MILLIS: Millis = 150;
const FENCE_BOUND_MILLIS: Millis = 1000;
const STOP_GRACE_MILLIS: Millis = 500;
const POLL_MILLIS: Millis = 20;
/** How often a guardian that is asked nothing else is asked whether it is there. */
const PULSE_MILLIS: Millis = 1000;
/** Past so many unanswered pulses in a row a guardian that guards no lease is replaced. */
const SILENT_PULSES_MAX = 5;

/** The agent's side of the guardian. Nothing here rejects; every request has a bound. */
class GuardianClient implements Guardian {
  readonly #options: GuardianOptions;
  readonly #link: GuardianLink;
  readonly #listeners: (() => void)[] = [];
  #state: GuardianState = { kind: 'absent', foreign: undefined };
  /** The postmaster that was last known to run, for a fence without the guardian. */
  #postmaster: ProcessIdentity | undefined;
  /** The newest lease that is known to be over on this host. */
  #over: string | undefined;
  #toldOld = false;
  #cancelForeignWatch: () => void = () => undefined;
  #cancelPulse: () => void = () => undefined;
  #silentPulses = 0;
  #launching: Promise<unknown> = Promise.resolve();
  #detached = false;

  constructor(options: GuardianOptions) {
    this.#options = options;
    const client = randomBytes(8).toString('hex');
    this.#link = new GuardianLink(options, client, options.clock, options.logger, {
      onState: (state) => {
        this.#onWireState(state);
      },
      onLost: () => {
        this.#readOver();
        this.#becomeAbsent();
      },
    });
  }

  async attach(): Promise<GuardianState> {
    const prepared = preparePrivateDirectory(this.#options.runDir);
    if (!prepared.ok) {
      this.#options.logger.log('error', prepared.error.message, { remedy: prepared.error.remedy });
    }
    const reached = await this.#link.reach(ATTACH_BOUND_MILLIS);
    if (reached !== 'connected') {
      if (reached !== 'none') {
        this.#options.logger.log('error', 'the guardian cannot be used', { how: reached });
      }
      this.#readOver();
      this.#becomeAbsent();
    }
    this.#awaitPulse();
    return this.#state;
  }

  #awaitPulse(): void {
    this.#cancelPulse = this.#options.clock.timer(PULSE_MILLIS, () => {
      void this.#feelPulse().then(() => {
        if (!this.#detached) this.#awaitPulse();
      });
    });
  }

  /**
   * A frozen guardian ends no connection. Under a lease the agent learns of it by its deadlines, and
   * fences in time; otherwise nothing else would ever tell, until a promotion fails for it.
   */
  async #feelPulse(): Promise<void> {
    if (!this.#link.connected) {
      this.#silentPulses = 0;
      return;
    }
    const answers = await this.#answers();
    this.#silentPulses = answers ? 0 : this.#silentPulses + 1;
    const state = this.#state;
    const guards =
      state.kind === 'present' &&
      state.armed !== undefined &&
      (state.armed.paused === true || this.#options.clock.now() < state.armed.deadline);
    if (answers || guards || this.#silentPulses < SILENT_PULSES_MAX || this.#detached) return;
    this.#silentPulses = 0;
    await this.#link.killUnresponsive();
    this.#becomeAbsent();
  }

  /** False: it has not answered in time. Any other failure tells of itself. */
  async #answers(): Promise<boolean> {
    const reply = await this.#link.request({ type: 'state' }, REQUEST_TIMEOUT_MILLIS);
    return reply.ok || reply.error.code !== UNANSWERED;
  }

  state(): GuardianState {
    return this.#state;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #setState(state: GuardianState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  #onWireState(wire: WireState): void {
    this.#cancelForeignWatch();
    const { postmaster } = wire;
    this.#postmaster = postmaster.kind === 'up' ? postmaster : undefined;
    this.#over = wire.over ?? this.#over;
    this.#setState(stateOf(wire));
  }

  /** Nobody is left to be asked: what a guardian has left behind. */
  #readOver(): void {
    this.#over = readOver(this.#options.runDir) ?? this.#over;
  }

  #becomeAbsent(): void {
    this.#cancelForeignWatch();
    const foreign = findForeign(this.#options.dataDir);
    this.#postmaster = foreign;
    this.#setState({
      kind: 'absent',
      foreign: foreign && { pid: foreign.pid },
      over: this.#over,
    });
    if (foreign !== undefined) this.#watchForeign(foreign);
  }

  /** Nobody tells of the end of a process that is not ours: it is looked at until then. */
  #watchForeign(foreign: ProcessIdentity): void {
    this.#cancelForeignWatch = this.#options.clock.timer(POLL_MILLIS, () => {
      if (findRunning(foreign) === undefined) this.#becomeAbsent();
      else this.#watchForeign(foreign);
    });
  }

  launch(command: LaunchCommand): Promise<Result<{ readonly pid: number }>> {
    const launched = this.#launching.then(() => this.#launch(command));
    this.#launching = launched;
    return launched;
  }

  async #launch(command: LaunchCommand): Promise<Result<{ readonly pid: number }>> {
    const request = { type: 'launch', command } as const;
    const ready = await this.#ensureGuardian();
    if (!ready.ok) return ready;
    let reply = await this.#link.request(request, LAUNCH_TIMEOUT_MILLIS);
    const code = reply.ok ? '' : reply.error.code;
    if (code === UNANSWERED || code === UNREACHABLE) {
      // Frozen, or just then ended for want of work: once more, with another one if need be.
      const again =
        code === UNANSWERED ? await this.#replaceGuardian() : await this.#ensureGuardian();
      if (!again.ok) return again;
      reply = await this.#link.request(request, LAUNCH_TIMEOUT_MILLIS);
    }
    if (!reply.ok) return err(reply.error);
    const { pid } = reply.value;
    return pid === undefined ? fail(UNREACHABLE, 'the guardian was not understood') : ok({ pid });
  }

  async #ensureGuardian(): Promise<Result<void>> {
    const prepared = preparePrivateDirectory(this.#options.runDir);
    if (!prepared.ok) return prepared;
    const reached = await this.#link.reach(ATTACH_BOUND_MILLIS);
    // One that is connected may be frozen all the same, and Postgres be down because of that.
    if (reached === 'connected') {
      return (await this.#answers()) ? done : this.#replaceGuardian();
    }
    if (reached === 'superseded') return err(SUPERSEDED);
    return reached === 'none' ? this.#link.start() : this.#replaceGuardian();
  }

  async #replaceGuardian(): Promise<Result<void>> {
    await this.#link.killUnresponsive();
    const fenced = await this.#fenceHere();
    return fenced.ok ? this.#link.start() : fenced;
  }

  async arm(lease: ArmedLease, watchdog?: WatchdogOrder): Promise<Result<void>> {
    const type = lease.paused === true ? 'pause' : 'arm';
    const request: Request =
      type === 'pause' || watchdog === undefined ? { type, lease } : { type, lease, watchdog };
    const reply = await this.#link.request(request, REQUEST_TIMEOUT_MILLIS);
    if (!reply.ok && type === 'pause' && reply.error.code === 'guardian-request-unknown')
      return this.#armOld(lease);
    if (!reply.ok) return err(reply.error);
    // No change that anyone waits for: the agent itself has just asked for it.
    if (this.#state.kind === 'present') this.#state = { ...this.#state, armed: lease };
    return done;
  }

  /** One that an older version has left behind keeps its deadline, which each beat moves on. */
  async #armOld(lease: ArmedLease): Promise<Result<void>> {
    if (!this.#toldOld) {
      this.#toldOld = true;
      this.#options.logger.log('warn', 'the guardian is of an older version and knows no pause', {
        consequence: 'while Consul does not answer for longer than ttl, Postgres is fenced',
        remedy: 'restart Postgres through pgbaton, which starts a new guardian',
      });
    }
    return this.arm({ ...lease, paused: false });
  }

  async disarm(): Promise<Result<void>> {
    if (this.#state.kind === 'absent') return done;
    const reply = await this.#link.request({ type: 'disarm' }, REQUEST_TIMEOUT_MILLIS);
    if (!reply.ok) return err(reply.error);
    if (this.#state.kind === 'present') this.#state = { ...this.#state, armed: undefined };
    return done;
  }

  async end(leaseId: string): Promise<Result<void>> {
    if (this.#link.superseded) return err(SUPERSEDED);
    if (!this.#link.connected) return this.#endHere(leaseId);
    const reply = await this.#link.request({ type: 'end', leaseId }, REQUEST_TIMEOUT_MILLIS);
    if (!reply.ok) return err(reply.error);
    this.#over = leaseId;
    const state = this.#state;
    if (state.kind === 'present') {
      const armed = state.armed?.leaseId === leaseId ? undefined : state.armed;
      this.#state = { ...state, armed, over: leaseId };
    }
    return done;
  }

  /** No guardian is left that could keep it, nor a server. */
  async #endHere(leaseId: string): Promise<Result<void>> {
    const left = findForeign(this.#options.dataDir);
    if (left !== undefined) {
      const message = `process ${left.pid} of Postgres is left, so no lease of it is over`;
      return fail('postmaster-running', message);
    }
    const record = new RunRecord(this.#options.runDir);
    const written = await record.put({ armed: undefined, over: leaseId });
    if (!written.ok) return written;
    this.#over = leaseId;
    if (this.#state.kind === 'absent') this.#state = { ...this.#state, over: leaseId };
    return done;
  }

  async stop(mode: 'fast' | 'immediate', timeoutMillis: Millis): Promise<Result<void>> {
    if (this.#link.superseded) return err(SUPERSEDED);
    if (!this.#link.connected) return this.#stopHere(mode, timeoutMillis);
    const request = { type: 'stop', mode, timeoutMillis } as const;
    const reply = await this.#link.request(request, timeoutMillis + STOP_GRACE_MILLIS);
    return reply.ok ? done : err(reply.error);
  }

  async #stopHere(mode: 'fast' | 'immediate', timeoutMillis: Millis): Promise<Result<void>> {
    const postmaster = this.#postmaster;
    if (postmaster === undefined) return done;
    signalExactly(postmaster, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    const { clock } = this.#options;
    const until = plus(clock.now(), timeoutMillis);
    while (findRunning(postmaster) !== undefined) {
      if (clock.now() >= until) {
        return fail('stop-timed-out', `Postgres has not ended after a ${mode} stop`);
      }
      await sleep(clock, POLL_MILLIS);
    }
    this.#becomeAbsent();
    return done;
  }

  async fence(reason: string): Promise<Result<void>> {
    if (this.#link.superseded) return err(SUPERSEDED);
    if (this.#link.connected) {
      const reply = await this.#link.request({ type: 'fence', reason }, FENCE_ASK_MILLIS);
      if (reply.ok && findServer(this.#target()).length === 0) return done;
      // It may have been said while we were asking: this process acts no more.
      if (this.#link.superseded) return err(SUPERSEDED);
      if (!reply.ok && reply.error.code === SUPERSEDED.code) return err(reply.error);
      const failed = reply.ok ? 'processes are left' : reply.error.message;
      this.#options.logger.log('warn', 'fencing without the guardian', { why: failed });
    }
    return this.#fenceHere();
  }

  async freeze(): Promise<Result<void>> {
    const told = await this.#order('freeze', FREEZE_MILLIS);
    if (told.ok || !this.#isUnanswered(told.error)) return told;
    this.#options.logger.log('warn', 'freezing without the guardian', { why: told.error.message });
    return freezeServer(this.#target()) > 0 ? done : told;
  }

  async thaw(): Promise<Result<void>> {
    const told = await this.#order('thaw', REQUEST_TIMEOUT_MILLIS);
    if (told.ok || !this.#isUnanswered(told.error)) return told;
    thawServer(this.#target());
    return done;
  }

  async #order(type: 'freeze' | 'thaw', timeoutMillis: Millis): Promise<Result<void>> {
    if (this.#link.superseded) return err(SUPERSEDED);
    const reply = await this.#link.request({ type }, timeoutMillis);
    return reply.ok ? done : err(reply.error);
  }

  /** Then this process does it by itself, unless another gives the orders by now. */
  #isUnanswered({ code }: Failure): boolean {
    return code === UNANSWERED && !this.#link.superseded;
  }

  #target(): ReturnType<typeof targetOf> {
    return targetOf(this.#options.dataDir, this.#postmaster);
  }

  async #fenceHere(): Promise<Result<void>> {
    if (this.#postmaster === undefined || readProcess(this.#postmaster.pid) === undefined) {
      this.#postmaster = findForeign(this.#options.dataDir);
    }
    const report = await fenceServer(this.#target(), FENCE_BOUND_MILLIS);
    if (!report.proved) {
      const left = report.remaining.map(({ pid, state }) => `${pid} (${state})`).join(', ');
      return fail(
        'fence-unproved',
        `processes of Postgres do not die: ${left}`,
        'state D is a disk that does not answer; until it does, only a restart of the host ends them',
      );
    }
    this.#postmaster = undefined;
    if (this.#state.kind === 'absent') {
      this.#becomeAbsent();
    } else if (this.#state.postmaster.kind === 'up') {
      // The guardian did not tell, so the proof does; its own word replaces this when it comes.
      const at = this.#options.clock.now();
      const exit = { at, code: undefined, signal: 'SIGKILL', cause: 'fenced' } as const;
      this.#setState({ ...this.#state, postmaster: { kind: 'down', exit } });
    }
    return done;
  }

  detach(): Promise<void> {
    this.#detached = true;
    this.#cancelPulse();
    this.#cancelForeignWatch();
    this.#link.detach();
    return Promise.resolve();
  }
}

/**
 * Connects to the guardian process of `src/guardian`, starting it when needed. Several may exist for
 * one data directory; the one created last gives the orders, the others get `guardian-superseded`.
 */
export function createGuardian(options: GuardianOptions): Guardian {
  return new GuardianClient(options);
}
