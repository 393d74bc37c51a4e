import { role } from '../core/facts.ts';
import type { Millis } from '../core/time.ts';
import type { Instant } from '../core/time.ts';
import type { View } from '../core/view.ts';
import type { AgentState } from './state.ts';

const HOOK_TIMEOUT_MILLIS: Millis = 60_000;
/** Hooks that wait for the one that runs; older ones are dropped, since only the newest role counts. */
const QUEUE_MAX = 8;

type Event = 'on_start' | 'on_stop' | 'on_restart' | 'on_reload' | 'on_role_change';

/**
 * Watches what Postgres turns into, counts it, and runs the operator's callbacks: after the fact,
 * one after the other, and nothing waits for them.
 */
export class Transitions {
  readonly #state: AgentState;
  #role: 'primary' | 'standby' | undefined;
  #startedAt: Instant | undefined;
  #queued = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(state: AgentState) {
    this.#state = state;
  }

  /** What runs already when the agent starts has been announced by the one before it. */
  adopt(view: View): void {
    const now = role(view);
    if (now === 'primary' || now === 'standby') this.#role = now;
    if (view.postmaster.kind === 'up') this.#startedAt = view.postmaster.startedAt;
  }

  observe(view: View): void {
    const now = role(view);
    if (now === 'down') this.#ended(view);
    if ((now !== 'primary' && now !== 'standby') || view.postmaster.kind !== 'up') return;
    const startedAt = view.postmaster.startedAt;
    const turned = this.#role !== undefined && this.#role !== now;
    const restarted = this.#startedAt !== startedAt;
    if (turned && this.#role === 'primary') this.#count('replaced');
    if (turned) this.#announce('on_role_change', now);
    else if (restarted) {
      const again = view.command?.kind === 'restart' || this.#state.memory.restart !== undefined;
      this.#announce(again ? 'on_restart' : 'on_start', now);
    }
    this.#role = now;
    this.#startedAt = startedAt;
  }

  reloaded(view: View): void {
    const now = role(view);
    if (now === 'primary' || now === 'standby') this.#announce('on_reload', now);
  }

  #ended(view: View): void {
    if (this.#startedAt === undefined || view.postmaster.kind !== 'down') return;
    const cause = view.postmaster.exitCause ?? 'unknown';
    if (this.#role === 'primary') this.#count(cause);
    if (cause === 'stopped' && this.#state.memory.restart === undefined) {
      this.#announce('on_stop', this.#role ?? 'standby');
    }
    this.#startedAt = undefined;
  }

  #count(cause: string): void {
    this.#state.ports.meter.count('demotions_total', { cause });
  }

  #announce(event: Event, now: 'primary' | 'standby'): void {
    const { settings, postgres, logger } = this.#state.ports;
    const current = settings.current();
    const command = current.postgres.callbacks[event];
    if (command === undefined) return;
    if (this.#queued >= QUEUE_MAX) {
      logger.log('warn', 'a callback was left out: too many wait', { event });
      return;
    }
    const published = now === 'primary' ? 'primary' : 'replica';
    this.#queued += 1;
    this.#running = this.#running.then(async () => {
      const ran = await postgres.runHook(
        command,
        [event, published, current.member.scope],
        HOOK_TIMEOUT_MILLIS,
      );
      this.#queued -= 1;
      const outcome = ran.ok ? 'done' : 'failed';
      this.#state.ports.meter.count('callbacks_total', { event, outcome });
      if (!ran.ok) logger.log('warn', 'a callback failed', { event, reason: ran.error.message });
    });
  }
}
