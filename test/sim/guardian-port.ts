import { FREEZE_MILLIS } from '../../src/core/brake.ts';
import { done, fail } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { Guardian, GuardianState } from '../../src/ports/guardian.ts';
import { GuardianProcess } from './guardian.ts';
import type { Machine, Watch } from './model.ts';
import { QUIET } from '../harness/quiet.ts';
import type { SimProcess } from './process.ts';

const REQUEST_TIMEOUT_MILLIS = 500;
const LAUNCH_TIMEOUT_MILLIS = 5000;
const FENCE_ASK_MILLIS = 150;
const UNRESPONSIVE = 'guardian-unresponsive';
const SPAWN_MILLIS = 60;
/** What must outlive the guardian is on disk before it says so. */
const SYNC_MILLIS = 10;
const ATTACH_BOUND_MILLIS = 2000;
const PULSE_MILLIS = 1000;
const SILENT_PULSES_MAX = 5;

/** The guardian as one agent sees it: through a socket, and as last told. */
export class GuardianPort implements Guardian {
  readonly #host: Machine;
  readonly #agent: SimProcess;
  readonly #listeners: (() => void)[] = [];
  /** Requests that have no answer yet: they fail with the connection. */
  readonly #unanswered = new Set<() => void>();
  #state: GuardianState;

  constructor(host: Machine, agent: SimProcess) {
    this.#host = host;
    this.#agent = agent;
    this.#state = this.#absent(undefined);
  }

  #absent(foreign: { readonly pid: number } | undefined): GuardianState {
    return { kind: 'absent', foreign, over: this.#host.over };
  }

  async attach(): Promise<GuardianState> {
    await this.#agent.answer(2, () => undefined);
    const found = this.#host.guardian;
    if (found?.process.frozen === true) {
      await this.#agent.answer(ATTACH_BOUND_MILLIS, () => undefined);
      this.#becomeAbsent();
    } else if (found !== undefined) {
      this.#connect(found);
    }
    this.#awaitPulse(0);
    return this.#state;
  }

  /** A frozen guardian that guards no lease is found out, and replaced. */
  #awaitPulse(silent: number): void {
    this.#agent.after(PULSE_MILLIS, () => {
      const guardian = this.#host.guardian;
      const state = this.#state;
      if (guardian?.process.frozen !== true || state.kind === 'absent') {
        this.#awaitPulse(0);
        return QUIET;
      }
      const { armed } = state;
      const guards =
        armed !== undefined && (armed.paused === true || this.#host.clock.now() < armed.deadline);
      if (!guards && silent >= SILENT_PULSES_MAX) this.#replace(guardian);
      this.#awaitPulse(silent + 1);
      return undefined;
    });
  }

  #replace(guardian: Watch): void {
    this.#host.guardian = undefined;
    this.#host.witnessed.clear();
    guardian.die();
    this.#becomeAbsent();
  }

  #becomeAbsent(): void {
    const { up, postgres } = this.#host;
    this.#told(this.#absent(up && postgres.up ? { pid: postgres.pid } : undefined));
  }

  #connect(guardian: Watch): void {
    this.#state = guardian.state();
    guardian.onChange = (state) => {
      this.#agent.after(0.2, () => {
        this.#told(state);
      });
    };
  }

  #told(state: GuardianState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  /** The connection ended with the guardian. */
  lost(): void {
    this.#agent.after(0.5, () => {
      for (const fails of this.#unanswered) fails();
      if (this.#host.guardian === undefined) this.#told(this.#absent(undefined));
    });
  }

  state(): GuardianState {
    return this.#state;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async launch(): Promise<Result<{ readonly pid: number }>> {
    const found = this.#host.guardian;
    if (found?.process.frozen === true) {
      await this.#agent.answer(REQUEST_TIMEOUT_MILLIS, () => undefined);
      if (this.#host.guardian === found && found.process.frozen) this.#replace(found);
    }
    if (this.#state.kind === 'absent' && this.#host.guardian?.process.frozen === false) {
      this.#connect(this.#host.guardian);
    }
    if (this.#host.guardian === undefined) {
      await this.#agent.answer(SPAWN_MILLIS, () => undefined);
      if (this.#host.guardian === undefined) {
        this.#host.guardian = new GuardianProcess(this.#host);
        this.#connect(this.#host.guardian);
      }
    }
    return this.#ask(LAUNCH_TIMEOUT_MILLIS, async (guardian) => guardian.launch());
  }

  async arm(...[lease, watchdog]: Parameters<Guardian['arm']>): Promise<Result<void>> {
    const answer = await this.#ask(REQUEST_TIMEOUT_MILLIS, async (guardian) =>
      guardian.arm(lease, watchdog),
    );
    if (answer.ok && this.#state.kind === 'present') this.#state = { ...this.#state, armed: lease };
    return answer;
  }

  async disarm(): Promise<Result<void>> {
    if (this.#state.kind === 'absent') return done;
    const answer = await this.#ask(REQUEST_TIMEOUT_MILLIS, async (guardian) => guardian.disarm());
    if (answer.ok && this.#state.kind === 'present')
      this.#state = { ...this.#state, armed: undefined };
    return answer;
  }

  async end(leaseId: string): Promise<Result<void>> {
    if (this.#host.guardian === undefined) return this.#endHere(leaseId);
    const answer = await this.#ask(REQUEST_TIMEOUT_MILLIS, async (guardian) => {
      const ended = guardian.end(leaseId);
      await new Promise((resolve) => guardian.process.after(SYNC_MILLIS, () => resolve(undefined)));
      return ended;
    });
    const state = this.#state;
    if (answer.ok && state.kind === 'present') {
      const armed = state.armed?.leaseId === leaseId ? undefined : state.armed;
      this.#state = { ...state, armed, over: leaseId };
    }
    return answer;
  }

  /** No guardian is left that could keep it. */
  #endHere(leaseId: string): Promise<Result<void>> {
    return this.#agent.answer(5, () => {
      const { postgres, trouble } = this.#host;
      if (postgres.up) return fail('postmaster-running', 'Postgres is not down');
      if (trouble.diskFull) return fail('run-record-unwritable', 'the disk is full');
      this.#host.over = leaseId;
      if (this.#state.kind === 'absent') this.#state = { ...this.#state, over: leaseId };
      return done;
    });
  }

  async stop(mode: 'fast' | 'immediate', timeoutMillis: number): Promise<Result<void>> {
    if (this.#host.guardian === undefined) return done;
    return this.#ask(timeoutMillis + 500, async (guardian) => guardian.stop(mode, timeoutMillis));
  }

  async fence(): Promise<Result<void>> {
    const answer = await this.#ask<Result<void>>(FENCE_ASK_MILLIS, async (guardian) => {
      await guardian.fence();
      return done;
    });
    if (answer.ok && !this.#host.postgres.up) {
      if (this.#state.kind === 'absent') this.#becomeAbsent();
      return done;
    }
    return this.#agent.answer(20, () => {
      this.#host.postgres.kill(false);
      this.#noteFenced();
      return done;
    });
  }

  /** Its own word, if the guardian does not tell. */
  #noteFenced(): void {
    const state = this.#state;
    if (state.kind === 'absent') {
      this.#becomeAbsent();
    } else if (state.postmaster.kind === 'up' && this.#host.guardian?.process.frozen === true) {
      const at = this.#host.clock.now();
      const exit = { at, code: undefined, signal: 'SIGKILL', cause: 'fenced' } as const;
      this.#told({ ...state, postmaster: { kind: 'down', exit } });
    }
  }

  async freeze(): Promise<Result<void>> {
    const answer = await this.#ask<Result<void>>(FREEZE_MILLIS, (guardian) =>
      Promise.resolve(guardian.freeze()),
    );
    if (answer.ok || answer.error.code !== UNRESPONSIVE) return answer;
    this.#host.postgres.process.freeze('brake');
    return done;
  }

  async thaw(): Promise<Result<void>> {
    const answer = await this.#ask<Result<void>>(REQUEST_TIMEOUT_MILLIS, (guardian) => {
      guardian.thaw();
      return Promise.resolve(done);
    });
    if (answer.ok || answer.error.code !== UNRESPONSIVE) return answer;
    this.#host.postgres.process.thaw('brake');
    return done;
  }

  detach(): Promise<void> {
    return Promise.resolve();
  }

  /** A request over the socket: arrives though the agent stops meanwhile. */
  #ask<T extends Result<unknown>>(
    timeoutMillis: number,
    act: (guardian: Watch) => Promise<T>,
  ): Promise<T | Result<never>> {
    const agent = this.#agent;
    const guardian = this.#host.guardian;
    if (guardian === undefined)
      return agent.answer(0.1, () => fail('guardian-absent', 'no guardian runs'));
    return new Promise((resolve) => {
      const settle = (answer: T | Result<never>): void => {
        this.#unanswered.delete(broken);
        cancel();
        resolve(answer);
      };
      const broken = (): void => {
        settle(fail('guardian-gone', 'the connection to the guardian has ended'));
      };
      const cancel = agent.after(timeoutMillis, () => {
        settle(fail(UNRESPONSIVE, 'the guardian has not answered'));
      });
      this.#unanswered.add(broken);
      guardian.process.after(0.2, () => {
        void act(guardian).then((answer) => {
          agent.after(0.2, () => {
            settle(answer);
          });
        });
      });
    });
  }
}
