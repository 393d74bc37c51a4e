import type { FenceCause } from '../core/action.ts';
import { role } from '../core/facts.ts';
import { fenceAt } from '../core/lease.ts';
import type { HeldLease } from '../core/lease.ts';
import { earlier, since } from '../core/time.ts';
import type { Instant } from '../core/time.ts';
import type { ArmedLease } from '../ports/guardian.ts';
import type { AgentState } from './state.ts';

/**
 * The deadline that stops Postgres by itself: it needs no decision, no Consul and no free loop.
 * The guardian does the same a little later, should this process not get to run.
 */
export class Fencing {
  readonly #state: AgentState;
  #cancel: (() => void) | undefined;
  #stopped = false;
  #running: Promise<boolean> | undefined;
  /** What the guardian has acknowledged last. */
  #guarded: Pick<ArmedLease, 'leaseId' | 'deadline' | 'paused'> | undefined;

  constructor(state: AgentState) {
    this.#state = state;
  }

  /** The guardian has taken this deadline: until then it fences by itself. */
  acknowledged({ leaseId, deadline, paused = false }: ArmedLease): void {
    this.#guarded = { leaseId, deadline, paused };
    this.watchDeadline();
  }

  /**
   * Undefined: no time ends the lease, and the guardian knows.
   * P7: where nobody would fence if this process stood still, nothing is writable. A guardian that
   * does not answer, frozen for example, is waited for until then: it costs Postgres.
   */
  #dueAt(held: HeldLease): Instant | undefined {
    const timing = this.#state.ports.settings.current().policy.timing;
    const due = held.paused ? undefined : fenceAt(held, timing);
    const guarded = this.#guarded;
    const unguarded =
      guarded?.leaseId === held.id &&
      guarded.paused !== true &&
      this.#state.postmaster().kind === 'up' &&
      mayBeWritable(this.#state, held.id);
    if (!unguarded) return due;
    const unguardedAt = fenceAt({ ...held, end: guarded.deadline }, timing);
    return due === undefined ? unguardedAt : earlier(due, unguardedAt);
  }

  /** Call whenever the held lease changed. */
  watchDeadline(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const held = this.#state.held;
    if (held === undefined || this.#stopped) return;
    const dueAt = this.#dueAt(held);
    if (dueAt === undefined) return;
    const delay = Math.max(0, since(this.#state.now(), dueAt));
    this.#cancel = this.#state.ports.clock.timer(delay, () => {
      this.#expire();
    });
  }

  #expire(): void {
    const held = this.#state.held;
    if (held === undefined) return;
    const dueAt = this.#dueAt(held);
    if (dueAt === undefined || this.#state.now() < dueAt) {
      this.watchDeadline();
      return;
    }
    if (this.#state.postmaster().kind === 'up') void this.#endOf(held);
    else this.#state.changed();
  }

  /**
   * The lease ends, or nobody guards it: what may be writable under it is stopped. A standby that
   * was never asked to promote only has to be let out of the guardian's deadline.
   */
  async #endOf(held: HeldLease): Promise<void> {
    const timing = this.#state.ports.settings.current().policy.timing;
    const silent = held.paused || this.#state.now() < fenceAt(held, timing);
    await this.stopWritable(held.id, silent ? 'guardian-silent' : 'lease-over');
    this.#state.changed();
  }

  /** Answers whether nothing can be written under that lease any more. */
  async stopWritable(leaseId: string, cause: FenceCause = 'lease-over'): Promise<boolean> {
    if (this.#state.postmaster().kind !== 'up') return true;
    if (mayBeWritable(this.#state, leaseId)) return this.fence(cause);
    const disarmed = await this.#state.ports.guardian.disarm();
    return disarmed.ok || this.fence(cause);
  }

  /** Kills every process of the server at once and answers whether that is proved. */
  async fence(cause: FenceCause): Promise<boolean> {
    if (this.#stopped) return false;
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
      this.#state.standbyPid = undefined;
      const routine = cause === 'leftovers' && postmaster.kind === 'down';
      if (!routine) {
        meter.count('fences_total', { cause });
        meter.observe('phase_seconds', since(begun, this.#state.now()), { phase: 'fence' });
        logger.log('warn', 'Postgres was fenced', { cause, took_ms: tookMillis });
      }
    } else {
      meter.count('fences_failed_total');
      logger.log('error', 'Postgres could not be proved down', {
        cause,
        reason: fenced.error.message,
      });
    }
    this.#state.directory = undefined;
    this.#state.changed();
    return fenced.ok;
  }

  /** From now on another agent may be in charge of this host: nothing is touched any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }
}

/**
 * Not a standby by its own answer, given since it was started; and not one of which nothing else can
 * be: started as a standby after whatever may have been promoted before had ended.
 */
export function mayBeWritable(state: AgentState, leaseId: string): boolean {
  const current = role(state.view());
  const postmaster = state.postmaster();
  if (postmaster.kind === 'up' && postmaster.pid === state.standbyPid) return current === 'primary';
  return current !== 'standby' || state.writableUnder === leaseId;
}
