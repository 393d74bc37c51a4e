import type { FailsafeList } from '../core/failsafe.ts';
import type { HeldLease } from '../core/lease.ts';
import { plus } from '../core/time.ts';
import type { Instant } from '../core/time.ts';
import { watchdogOrder } from '../core/watchdog.ts';
import type { ArmedLease } from '../ports/guardian.ts';
import { armedLease } from './armed-lease.ts';
import type { AgentState } from './state.ts';

/** It answers, so it can at least forget the lease. */
const CANNOT_KEEP: readonly string[] = ['postmaster-running', 'guardian-request-unknown'];

export interface ArmingEvents {
  /** Everyone who may have to promise, for the record that the next agent adopts. */
  readonly voters: () => FailsafeList;
  readonly onAcknowledged: (armed: ArmedLease) => void;
  /** Another agent controls the guardian of this host: whatever this one knew is of the past. */
  readonly onSuperseded: () => void;
  /** The guardian has fenced under this lease and never takes it again. */
  readonly onLapsed: (leaseId: string) => void;
}

/** What the guardian is told of the lease, and whether it has acknowledged the newest of it. */
export class Arming {
  readonly #state: AgentState;
  readonly #events: ArmingEvents;
  #acknowledged: Promise<boolean> = Promise.resolve(true);
  /** The guardian was told that this one is over. A beat that is still answered changes nothing of that. */
  #endedId: string | undefined;

  constructor(state: AgentState, events: ArmingEvents) {
    this.#state = state;
    this.#events = events;
  }

  /** The latest that was told has reached the guardian. */
  async acknowledged(): Promise<boolean> {
    return this.#acknowledged;
  }

  isGuarded(): boolean {
    return this.#state.ports.guardian.state().kind === 'present';
  }

  tell(held: HeldLease): void {
    const { guardian, settings, logger } = this.#state.ports;
    if (held.release !== undefined || held.id === this.#endedId) return;
    if (guardian.state().kind !== 'present') {
      this.#acknowledged = Promise.resolve(false);
      return;
    }
    const { fenceBudgetMillis } = settings.current().policy.timing;
    const armed = armedLease(held, fenceBudgetMillis, this.#events.voters());
    const watchdog = watchdogOrder(this.#state.watchdogSituation());
    this.#acknowledged = guardian.arm(armed, watchdog).then((result) => {
      if (result.ok) {
        this.#events.onAcknowledged(this.#kept(armed));
        return true;
      }
      const { code, message } = result.error;
      logger.log('warn', 'the guardian did not take the new deadline', { code, reason: message });
      if (code === 'guardian-superseded') this.#events.onSuperseded();
      if (code === 'lease-lapsed' || code === 'deadline-passed') this.#events.onLapsed(held.id);
      return false;
    });
  }

  /** One of an older version knows no pause, and keeps a deadline: what it keeps counts, not what it was told. */
  #kept(told: ArmedLease): ArmedLease {
    const state = this.#state.ports.guardian.state();
    const kept = state.kind === 'present' ? state.armed : undefined;
    return kept?.leaseId === told.leaseId ? kept : told;
  }

  /**
   * Postgres is proved down, and nothing is done under the lease again: by this process, nor by the one
   * after it, which could not tell otherwise.
   */
  async end(leaseId: string): Promise<void> {
    const { guardian, logger } = this.#state.ports;
    this.#endedId = leaseId;
    const ended = await guardian.end(leaseId);
    if (ended.ok) return;
    const { code, message } = ended.error;
    logger.log('warn', 'that the lease is over could not be kept here', { code, reason: message });
    if (CANNOT_KEEP.includes(code)) await guardian.disarm();
  }

  /**
   * A pause ends when the beat that says so is sent, answered or not: from then on others may count. So
   * the guardian has the deadline before. Answers whether it does.
   */
  async endPause(held: HeldLease, sentAt: Instant): Promise<boolean> {
    const { settings, logger } = this.#state.ports;
    const { ttlMillis } = settings.current().policy.timing;
    this.tell({ ...held, paused: false, end: plus(sentAt, ttlMillis) });
    if ((await this.#acknowledged) || !this.isGuarded()) return true;
    // It may have taken it all the same.
    const now = this.#state.held;
    if (now?.id === held.id) this.tell(now);
    logger.log('warn', 'the pause goes on: the guardian did not take a deadline');
    return false;
  }
}
