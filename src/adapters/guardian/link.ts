import type { Failure, Result } from '../../core/result.ts';
import { done, fail, failure } from '../../core/result.ts';
import type { Instant, Millis } from '../../core/time.ts';
import { plus } from '../../core/time.ts';
import { isLockAlive, readLock } from '../../guardian/lock.ts';
import type { LockRecord } from '../../guardian/lock.ts';
import { signalExactly } from '../../guardian/procfs.ts';
import type { Request, WireState } from '../../guardian/protocol.ts';
import { PROTOCOL_VERSION } from '../../guardian/protocol.ts';
import type { Clock } from '../../ports/clock.ts';
import { sleep } from '../../ports/clock.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { Connection, UNREACHABLE } from './connection.ts';
import type { GoodReply } from './connection.ts';
import { startGuardianProcess } from './start-process.ts';
import type { GuardianProgram } from './start-process.ts';

const HELLO_TIMEOUT_MILLIS: Millis = 1000;
const START_BOUND_MILLIS: Millis = 10_000;
const RECONNECT_BOUND_MILLIS: Millis = 1000;
const KILL_BOUND_MILLIS: Millis = 2000;
const POLL_MILLIS: Millis = 5;

/** What became of the attempt to reach the guardian that the run directory names. */
export type Reached = 'connected' | 'none' | 'unresponsive' | 'superseded';

export interface LinkEvents {
  readonly onState: (state: WireState) => void;
  /** The guardian has died, or nobody can talk to it any more. */
  readonly onLost: () => void;
}

export const SUPERSEDED: Failure = failure(
  'guardian-superseded',
  'another agent has taken over Postgres on this host; this one must not act on it any more',
  'stop this agent: a second one runs for the same data directory',
);

/** Finds, starts, replaces and keeps up the connection to the one guardian of a run directory. */
export class GuardianLink {
  readonly #program: GuardianProgram;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: LinkEvents;
  readonly #hello: Extract<Request, { type: 'hello' }>;
  #connection: Connection | undefined;
  #guardian: LockRecord | undefined;
  #superseded = false;
  #detached = false;

  constructor(
    program: GuardianProgram,
    client: string,
    clock: Clock,
    logger: Logger,
    events: LinkEvents,
  ) {
    this.#program = program;
    this.#clock = clock;
    this.#logger = logger;
    this.#events = events;
    const version = PROTOCOL_VERSION;
    this.#hello = { type: 'hello', version, client, createdAt: clock.now(), control: true };
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  get superseded(): boolean {
    return this.#superseded;
  }

  /** Fails with `guardian-absent` without a connection, else as `Connection.request`. */
  async request(request: Request, timeoutMillis: Millis): Promise<Result<GoodReply>> {
    if (this.#superseded) return { ok: false, error: SUPERSEDED };
    if (this.#connection === undefined) {
      return fail('guardian-absent', 'no guardian runs for this data directory');
    }
    return this.#connection.request(request, timeoutMillis);
  }

  /** Connects to the guardian that lives; `none` when there is none. Retries up to the bound while it starts. */
  async reach(boundMillis: Millis): Promise<Reached> {
    const until = plus(this.#clock.now(), boundMillis);
    for (;;) {
      if (this.#superseded) return 'superseded';
      if (this.#connection !== undefined) return 'connected';
      const found = readLock(this.#program.runDir);
      if (found === undefined || !isLockAlive(found)) return 'none';
      const greeted = await this.#greet(found, until);
      if (greeted.ok) return 'connected';
      if (greeted.error.code === SUPERSEDED.code) {
        this.#superseded = true;
        return 'superseded';
      }
      if (this.#clock.now() >= until) return 'unresponsive';
      await sleep(this.#clock, POLL_MILLIS);
    }
  }

  async #greet(found: LockRecord, until: Instant): Promise<Result<void>> {
    const leftMillis = Math.max(1, Math.min(HELLO_TIMEOUT_MILLIS, until - this.#clock.now()));
    let pushed: WireState | undefined;
    const opened = await Connection.open(found.socket, this.#clock, leftMillis, {
      onState: (state) => {
        pushed = state;
        if (this.#connection === connection) this.#events.onState(state);
      },
      onSuperseded: () => {
        this.#superseded = true;
        this.#logger.log('error', SUPERSEDED.message);
      },
      onClosed: () => {
        if (this.#connection === connection) void this.#recover();
      },
    });
    if (!opened.ok) return opened;
    const connection = opened.value;
    const reply = await connection.request(this.#hello, leftMillis);
    if (!reply.ok || reply.value.state === undefined || this.#detached) {
      connection.close();
      return reply.ok ? fail(UNREACHABLE, 'the guardian was not understood') : reply;
    }
    this.#connection = connection;
    this.#guardian = found;
    // What came right behind the greeting is newer than the greeting.
    this.#events.onState(pushed ?? reply.value.state);
    return done;
  }

  /** The connection broke: back to the same guardian if it lives, else it is known to be lost at once. */
  async #recover(): Promise<void> {
    this.#connection = undefined;
    if (this.#detached) return;
    const reached = await this.reach(RECONNECT_BOUND_MILLIS);
    // Superseded: the guardian lives and what it guards is another agent's now, not a stray server.
    if (reached === 'connected' || reached === 'superseded' || this.#detached) return;
    this.#logger.log('error', 'the guardian is lost', { how: reached });
    this.#events.onLost();
  }

  /** Starts a guardian and connects to it, or to another that was quicker. */
  async start(): Promise<Result<void>> {
    const until = plus(this.#clock.now(), START_BOUND_MILLIS);
    let started = startGuardianProcess(this.#program);
    for (;;) {
      if (!started.ok) return started;
      const reached = await this.reach(Math.max(1, until - this.#clock.now()));
      if (reached === 'connected') return done;
      if (reached === 'superseded') return { ok: false, error: SUPERSEDED };
      if (started.value.flagsRefused()) {
        this.#logger.log('warn', 'the guardian needs more memory: this Node refuses its flags');
        started = startGuardianProcess({ ...this.#program, nodeFlags: [] });
        continue;
      }
      const ended = started.value.ended();
      if (ended !== undefined || this.#clock.now() >= until) {
        return fail(
          'guardian-not-started',
          `the guardian did not start: ${ended ?? 'it does not answer'}`,
          `look into ${this.#program.runDir}/guardian.log`,
        );
      }
      await sleep(this.#clock, POLL_MILLIS);
    }
  }

  /** Ends a guardian that does not answer: what guards nothing must not stand in the way of one that does. */
  async killUnresponsive(): Promise<void> {
    const found = this.#guardian ?? readLock(this.#program.runDir);
    this.#connection?.close();
    this.#connection = undefined;
    this.#guardian = undefined;
    if (found === undefined || !isLockAlive(found)) return;
    this.#logger.log('error', 'the guardian does not answer and is replaced', { pid: found.pid });
    signalExactly(found, 'SIGKILL');
    const until = plus(this.#clock.now(), KILL_BOUND_MILLIS);
    while (isLockAlive(found) && this.#clock.now() < until) await sleep(this.#clock, POLL_MILLIS);
  }

  detach(): void {
    this.#detached = true;
    this.#connection?.close();
    this.#connection = undefined;
  }
}
