import { isValid } from '../core/lease.ts';
import type { HeldLease } from '../core/lease.ts';
import { branchesOf } from '../core/branch.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import { isBound } from '../core/promise.ts';
import { done, fail } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { earlier, plus, since } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { HostMemory } from '../core/view.ts';
import type { WatchdogFacts } from '../core/watchdog.ts';
import { sleep } from '../ports/clock.ts';
import type { Heartbeat } from './heartbeat.ts';
import { updateHost } from './host-memory.ts';
import type { Probing } from './probing.ts';
import type { AgentState } from './state.ts';
import type { Synchronous } from './synchronous.ts';

const PROMOTION_POLL_MILLIS: Millis = 10;
const CHECKPOINT_BOUND_MILLIS: Millis = 300_000;
const LEASE_LOST = fail('lease-lost', 'the lease was lost before the promotion');

/** From a standby under a held lease to a primary that nobody can start read-write behind its back. */
export class Promotion {
  readonly #state: AgentState;
  readonly #heartbeat: Heartbeat;
  readonly #probing: Probing;
  readonly #synchronous: Synchronous;

  constructor(state: AgentState, heartbeat: Heartbeat, probing: Probing, synchronous: Synchronous) {
    this.#state = state;
    this.#heartbeat = heartbeat;
    this.#probing = probing;
    this.#synchronous = synchronous;
  }

  /** `names`: `synchronous_standby_names` of the new primary, in effect before it is one. */
  async promote(names: string | undefined): Promise<Result<void>> {
    const state = this.#state;
    const { postgres, logger, settings, meter } = state.ports;
    const begun = state.now();
    // The last look at the lease: nothing is waited for between it and the request.
    const refused = (await this.#beforePromotion(names)) ?? this.#leaseFault();
    if (refused !== undefined) {
      await this.settleAnticipated();
      return refused;
    }
    state.writableUnder = state.held?.id;
    state.standbyPid = undefined;
    const requested = await postgres.promote();
    if (!requested.ok) return requested;
    const timing = settings.current().policy.timing;
    const until = plus(begun, timing.promoteTimeoutMillis);
    for (;;) {
      await this.#probing.refresh();
      const answer = state.probe?.value;
      if (answer?.kind === 'answered' && !answer.facts.inRecovery) break;
      if (state.postmaster().kind !== 'up')
        return fail('promotion-ended', 'Postgres ended during its promotion');
      if (state.now() > until)
        return fail(
          'promotion-timeout',
          `Postgres did not leave recovery within ${timing.promoteTimeoutMillis} ms`,
        );
      await sleep(state.ports.clock, PROMOTION_POLL_MILLIS);
    }
    const tookMillis = since(begun, state.now());
    meter.observe('phase_seconds', tookMillis, { phase: 'promote' });
    if (state.leaderlessSince !== undefined)
      meter.observe('phase_seconds', since(state.leaderlessSince, state.now()), { phase: 'total' });
    state.leaderlessSince = undefined;
    logger.log('info', 'Postgres was promoted', {
      took_ms: Math.round(tookMillis),
      generation: state.held?.n,
    });
    // Published at once; what follows is housekeeping that no client waits for.
    state.changed();
    await this.rememberPromotion();
    void this.#checkpointAfterPromotion();
    return done;
  }

  /** P7: the lease outlasts the promotion, the generation is on disk, the guardian has acknowledged. */
  async #beforePromotion(names: string | undefined): Promise<Result<never> | undefined> {
    const state = this.#state;
    const held = state.held;
    if (held === undefined) return LEASE_LOST;
    const fault = this.#leaseFault();
    if (fault !== undefined) return fault;
    if (
      isBound(state.promised, state.cluster?.value, state.now()) &&
      state.promised?.leaseId !== held.id
    ) {
      return fail('promise-binds', 'this member has promised another leader to hold back');
    }
    if (!(await this.#writeDown(held))) {
      return fail(
        'host-state',
        'the generation could not be saved before the promotion',
        'check the disk of the data directory',
      );
    }
    const hooked = await this.#runHook();
    if (!hooked.ok) return hooked;
    const { promoteTimeoutMillis } = state.ports.settings.current().policy.timing;
    const until = earlier(plus(state.now(), promoteTimeoutMillis), held.end);
    const waits = await this.#synchronous.inEffect(names, until);
    if (!waits.ok) return waits;
    return this.#armFor(held);
  }

  #leaseFault(): Result<never> | undefined {
    const { held } = this.#state;
    return held !== undefined && isValid(held, this.#state.now()) ? undefined : LEASE_LOST;
  }

  /** The evidence comes first: a crash right after the promotion must not make it anonymous. */
  async #writeDown(held: HeldLease): Promise<boolean> {
    const answer = this.#state.probe?.value;
    const next = answer?.kind === 'answered' ? answer.facts.timeline + 1 : undefined;
    return updateHost(this.#state, (host) => ({
      ...host,
      floor: held.n > host.floor.n ? { n: held.n, id: held.id } : host.floor,
      promotions:
        next === undefined
          ? host.promotions
          : addPromotion(host, { id: held.id, timeline: next, switchLsn: LSN_ZERO }),
    }));
  }

  async #runHook(): Promise<Result<void>> {
    const { postgres, settings } = this.#state.ports;
    const current = settings.current();
    const hook = current.postgres.prePromote;
    if (hook === undefined) return done;
    return postgres.runHook(hook, [], current.policy.timing.promoteTimeoutMillis);
  }

  /** The guardian has acknowledged this very lease, and enough of it is left. */
  async #armFor(held: HeldLease): Promise<Result<never> | undefined> {
    const state = this.#state;
    this.#heartbeat.rearm();
    if (!(await this.#heartbeat.armed())) {
      return fail(
        'guardian-not-armed',
        'the guardian did not acknowledge the lease; nothing is promoted without it',
      );
    }
    const watchdog = state.view().watchdog;
    if (state.ports.settings.current().watchdog?.mode === 'required' && watchdog?.kind !== 'open') {
      const { message, remedy } = notOpen(watchdog);
      return fail('watchdog-not-open', message, remedy);
    }
    const current = state.held;
    const { heartbeatMillis, fenceBudgetMillis } = state.ports.settings.current().policy.timing;
    // Paused or not: what becomes writable does so under a lease that Consul has confirmed lately.
    const enough =
      current?.id === held.id &&
      current.release === undefined &&
      plus(state.now(), 2 * heartbeatMillis + fenceBudgetMillis) < current.end;
    return enough
      ? undefined
      : fail('lease-short', 'too little of the lease is left to promote under it');
  }

  /**
   * Two promotions can give the same timeline number: this host remembers under which id its own was.
   * And nobody's restart of this server comes up read-write. Repeated until both are done.
   */
  async rememberPromotion(): Promise<boolean> {
    const state = this.#state;
    const held = state.held;
    const answer = state.probe?.value;
    if (held === undefined || answer?.kind !== 'answered' || answer.facts.inRecovery) return false;
    const protectedAgain = await state.ports.postgres.protectPrimary();
    if (!protectedAgain.ok) {
      state.ports.logger.log('error', 'the primary is not protected against a start read-write', {
        reason: protectedAgain.error.message,
        remedy: protectedAgain.error.remedy,
      });
      return false;
    }
    const timeline = answer.facts.timeline;
    const switches = await state.ports.postgres.readOwnHistory(timeline);
    const switchLsn = switches.at(-1)?.switchLsn ?? LSN_ZERO;
    return updateHost(state, (host) => ({
      ...host,
      promotions: addPromotion(host, { id: held.id, timeline, switchLsn }),
      followed: {
        id: held.id,
        timeline,
        lineage:
          state.ownGeneration?.id === held.id
            ? branchesOf(state.ownGeneration)
            : host.followed?.lineage,
      },
    }));
  }

  /**
   * A promotion that was written down before it was asked for has happened if its history file is
   * there: nothing has been received from anybody since.
   */
  async settleAnticipated(): Promise<void> {
    const state = this.#state;
    const open = state.host.promotions.find((promotion) => promotion.switchLsn === LSN_ZERO);
    if (open === undefined) return;
    const switches = await state.ports.postgres.readOwnHistory(open.timeline);
    const switchLsn = switches.at(-1)?.switchLsn;
    await updateHost(state, (host) => ({
      ...host,
      promotions: host.promotions.flatMap((known) => {
        if (known.id !== open.id || known.timeline !== open.timeline) return [known];
        return switchLsn === undefined ? [] : [{ ...known, switchLsn }];
      }),
    }));
  }

  async #checkpointAfterPromotion(): Promise<void> {
    const { postgres, logger } = this.#state.ports;
    const result = await postgres.checkpoint(CHECKPOINT_BOUND_MILLIS);
    if (!result.ok)
      logger.log('warn', 'the checkpoint after the promotion failed', {
        reason: result.error.message,
      });
  }

  /** Timeline of the own generation, from what Postgres says, for the record that others compare with. */
  async promotionRecord(): Promise<
    { readonly timeline: number; readonly switchLsn: typeof LSN_ZERO } | undefined
  > {
    const answer = this.#state.probe?.value;
    if (answer?.kind !== 'answered' || answer.facts.inRecovery) return undefined;
    const timeline = answer.facts.timeline;
    const switches = await this.#state.ports.postgres.readOwnHistory(timeline);
    return { timeline, switchLsn: switches.at(-1)?.switchLsn ?? LSN_ZERO };
  }
}

const notOpen = (
  facts: WatchdogFacts | undefined,
): { readonly message: string; readonly remedy: string | undefined } => ({
  message: `the watchdog device is required and does not count down yet${facts?.kind === 'unusable' ? `: ${facts.why}` : ''}`,
  remedy: facts?.kind === 'unusable' ? facts.remedy : undefined,
});

const PROMOTIONS_KEPT = 32;

/** The newest first; what is known better of the same promotion replaces what was expected of it. */
function addPromotion(
  host: HostMemory,
  promotion: HostMemory['promotions'][number],
): HostMemory['promotions'] {
  const others = host.promotions.filter(
    (known) =>
      known.id !== promotion.id ||
      (known.timeline !== promotion.timeline && known.switchLsn !== LSN_ZERO),
  );
  return [promotion, ...others].slice(0, PROMOTIONS_KEPT);
}
