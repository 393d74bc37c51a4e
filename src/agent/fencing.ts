import type { FenceCause } from '../core/action.ts';
import { fenceAt } from '../core/lease.ts';
import { since } from '../core/time.ts';
import type { AgentState } from './state.ts';

/**
 * The deadline that stops Postgres by itself: it needs no decision, no Consul and no free loop.
 * The guardian does the same a little later, should this process not get to run.
 */
export class Fencing {
  readonly #state: AgentState;
  #cancel: (() => void) | undefined;
  #running: Promise<boolean> | undefined;

  constructor(state: AgentState) {
    this.#state = state;
  }

  /** Call whenever the held lease changed. */
  watchDeadline(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const held = this.#state.held;
    if (held === undefined) return;
    const timing = this.#state.ports.settings.current().policy.timing;
    const delay = Math.max(0, since(this.#state.now(), fenceAt(held, timing)));
    this.#cancel = this.#state.ports.clock.timer(delay, () => {
      this.#expire();
    });
  }

  #expire(): void {
    const held = this.#state.held;
    if (held === undefined) return;
    const timing = this.#state.ports.settings.current().policy.timing;
    if (this.#state.now() < fenceAt(held, timing)) {
      this.watchDeadline();
      return;
    }
    const postmaster = this.#state.postmaster();
    if (postmaster.kind === 'up') void this.fence('lease-over');
    else this.#state.changed();
  }

  /** Kills every process of the server at once and answers whether that is proved. */
  async fence(cause: FenceCause): Promise<boolean> {
    this.#running ??= this.#fence(cause).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fence(cause: FenceCause): Promise<boolean> {
    const { guardian, logger, meter } = this.#state.ports;
    const begun = this.#state.now();
    const postmaster = this.#state.postmaster();
    const fenced = await guardian.fence(cause);
    const tookMillis = Math.round(since(begun, this.#state.now()));
    this.#state.probe = undefined;
    if (fenced.ok) {
      const routine = cause === 'leftovers' && postmaster.kind === 'down';
      if (!routine) {
        meter.count('fences_total', { cause });
        logger.log('warn', 'Postgres was fenced', { cause, took_ms: tookMillis });
      }
    } else {
      logger.log('error', 'Postgres could not be proved down', {
        cause,
        reason: fenced.error.message,
      });
    }
    this.#state.directory = undefined;
    this.#state.changed();
    return fenced.ok;
  }

  stop(): void {
    this.#cancel?.();
  }
}
