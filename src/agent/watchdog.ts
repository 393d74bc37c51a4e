import { watchdogTimeout } from '../core/watchdog.ts';
import type { PreparedWatchdog, WatchdogFacts } from '../core/watchdog.ts';
import { since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

const LOOK_EVERY_MILLIS: Millis = 1000;
/** A device that is set already may be taken by another program, or go. */
const PREPARED_FOR_MILLIS: Millis = 10_000;
/** While something is under way that ends by itself. */
const SOON_MILLIS: Millis = 100;

/**
 * Keeps the kernel's watchdog device ready for a guardian to hold: set to the timeout that fits the
 * times of the cluster, and stopped. A guardian that was killed leaves it counting; with its server proved
 * down there is no reason to reset the host.
 */
export class WatchdogReadiness {
  readonly #state: AgentState;
  readonly #onReady: () => void;
  readonly #pacer: Pacer;
  #preparedAt: Instant | undefined;
  #told = '';

  /** @param onReady the next arming can have it. */
  constructor(state: AgentState, onReady: () => void) {
    this.#state = state;
    this.#onReady = onReady;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#step());
  }

  poke(): void {
    this.#pacer.poke();
  }

  /** The guardian is another, or holds something else. */
  lookAgain(): void {
    this.#preparedAt = undefined;
    // It may have left the device counting. Nobody else opens it before that was stopped.
    if (this.#state.ports.guardian.state().kind === 'absent') {
      this.#state.preparedWatchdog = undefined;
    }
    this.poke();
  }

  stop(): void {
    this.#pacer.stop();
  }

  async #step(): Promise<Millis | undefined> {
    const state = this.#state;
    const { settings, timing, held, prepared } = state.watchdogSituation();
    if (settings === undefined) {
      state.preparedWatchdog = undefined;
      this.#told = '';
      return undefined;
    }
    this.#tell(state.view().watchdog);
    const timeout = watchdogTimeout(timing, settings);
    if (timeout.kind === 'misfit') return LOOK_EVERY_MILLIS;
    if (held?.kind === 'open') {
      // It keeps the timeout, or is about to be closed by the next arming and set anew.
      return state.view().watchdog?.kind === 'unknown' ? SOON_MILLIS : LOOK_EVERY_MILLIS;
    }
    const { timeoutMillis } = timeout;
    const fits =
      prepared?.settings.device === settings.device &&
      prepared.settings.driver === settings.driver &&
      prepared.timeoutMillis === timeoutMillis;
    const isFresh =
      this.#preparedAt !== undefined && since(this.#preparedAt, state.now()) < PREPARED_FOR_MILLIS;
    if (fits && isFresh) return LOOK_EVERY_MILLIS;
    if (!this.#mayStopIt()) return SOON_MILLIS;
    await this.#prepare({ settings, timeoutMillis });
    return LOOK_EVERY_MILLIS;
  }

  /** What counts down and is held by nobody is stopped only where no server may be left of a guardian that is gone. */
  #mayStopIt(): boolean {
    const { kind } = this.#state.postmaster();
    return kind === 'up' || kind === 'down';
  }

  async #prepare(wanted: Omit<PreparedWatchdog, 'outcome'>): Promise<void> {
    const state = this.#state;
    const outcome = await state.ports.watchdog.prepare(wanted.settings, wanted.timeoutMillis);
    const before = state.view().watchdog?.kind;
    state.preparedWatchdog = { ...wanted, outcome };
    this.#preparedAt = state.now();
    const now = state.view().watchdog;
    this.#tell(now);
    if (now?.kind === before) return;
    if (now?.kind === 'ready') this.#onReady();
    state.changed();
  }

  /** Each change once. */
  #tell(facts: WatchdogFacts | undefined): void {
    if (facts === undefined || facts.kind === 'unknown') return;
    const { watchdog } = this.#state.ports.settings.current();
    const now = facts.kind === 'unusable' ? facts.why : facts.kind;
    if (now === this.#told) return;
    this.#told = now;
    const { logger } = this.#state.ports;
    const fields = { device: watchdog?.device, mode: watchdog?.mode };
    if (facts.kind === 'unusable') {
      const level = watchdog?.mode === 'required' ? 'error' : 'warn';
      const { why, remedy } = facts;
      logger.log(level, 'the watchdog device cannot be used', { ...fields, why, remedy });
    } else {
      logger.log('info', `the watchdog device is ${facts.kind}`, fields);
    }
  }
}
