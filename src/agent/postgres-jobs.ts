import type { Target } from '../core/action.ts';
import { isValid } from '../core/lease.ts';
import { formatLsn, LSN_ZERO, parseLsn } from '../core/lsn.ts';
import { isBound } from '../core/promise.ts';
import type { Upstream } from '../core/postgres.ts';
import { done, fail, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { plus, since } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { HostMemory } from '../core/view.ts';
import { sleep } from '../ports/clock.ts';
import type { JobOptions } from '../ports/postgres.ts';
import type { Heartbeat } from './heartbeat.ts';
import { updateHost } from './host-memory.ts';
import type { Probing } from './probing.ts';
import type { AgentState } from './state.ts';

const PROMOTION_POLL_MILLIS: Millis = 10;
const HISTORY_TIMEOUT_MILLIS: Millis = 3000;
const CHECKPOINT_TIMEOUT_MILLIS: Millis = 60_000;
const CHECKPOINT_BOUND_MILLIS: Millis = 300_000;

/** The long work on Postgres, step by step; each step re-checks what it relies on. */
export class PostgresJobs {
  readonly #state: AgentState;
  readonly #heartbeat: Heartbeat;
  readonly #probing: Probing;

  constructor(state: AgentState, heartbeat: Heartbeat, probing: Probing) {
    this.#state = state;
    this.#heartbeat = heartbeat;
    this.#probing = probing;
  }

  /** Always as a standby (I4); promotion is a step of its own, under a lease. */
  async start(target: Target): Promise<Result<void>> {
    await this.#settleAnticipated();
    const { postgres, guardian } = this.#state.ports;
    const prepared = await postgres.prepareStart({
      ...target,
      leading: this.#state.held !== undefined,
    });
    if (!prepared.ok) return prepared;
    if (this.#state.held === undefined && guardian.state().kind === 'present') {
      const disarmed = await guardian.disarm();
      if (!disarmed.ok) return disarmed;
    }
    const launched = await guardian.launch(prepared.value);
    if (!launched.ok) return launched;
    return this.#awaitAnswer(this.#state.ports.settings.current().postgres.pgCtlTimeoutMillis);
  }

  /** Until it accepts connections, ends, or the bound: recovery may take longer than any job should. */
  async #awaitAnswer(boundMillis: Millis): Promise<Result<void>> {
    const { clock } = this.#state.ports;
    const begun = this.#state.now();
    while (since(begun, this.#state.now()) < boundMillis) {
      const postmaster = this.#state.postmaster();
      if (postmaster.kind === 'down') {
        return fail(
          'postgres-start-failed',
          'the postmaster ended while starting',
          `read the log of Postgres in ${this.#state.ports.settings.current().postgres.dataDir}`,
        );
      }
      await this.#probing.refresh();
      if (this.#state.probe?.value.kind === 'answered') return done;
      await sleep(clock, 50);
    }
    return done;
  }

  async stop(mode: 'fast' | 'immediate'): Promise<Result<void>> {
    const { guardian, settings, postgres } = this.#state.ports;
    const current = settings.current();
    if (current.postgres.beforeStop !== undefined) {
      await postgres.runHook(current.postgres.beforeStop, [], current.postgres.pgCtlTimeoutMillis);
    }
    const bound = current.policy.timing.primaryStopTimeoutMillis;
    const stopped = await guardian.stop(
      mode,
      bound > 0 ? bound : current.postgres.pgCtlTimeoutMillis,
    );
    if (stopped.ok || bound === 0) return stopped;
    return guardian.stop('immediate', current.postgres.pgCtlTimeoutMillis);
  }

  async promote(): Promise<Result<void>> {
    const state = this.#state;
    const { postgres, logger, settings, meter } = state.ports;
    const begun = state.now();
    const refused = await this.#beforePromotion();
    if (refused !== undefined) {
      await this.#settleAnticipated();
      return refused;
    }
    state.writableUnder = state.held?.id;
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

  /** P7, H8: the lease outlasts the promotion, the generation is on disk, the guardian has acknowledged. */
  async #beforePromotion(): Promise<Result<never> | undefined> {
    const state = this.#state;
    const held = state.held;
    if (held === undefined || !isValid(held, state.now()))
      return fail('lease-lost', 'the lease was lost before the promotion');
    if (
      isBound(state.promised, state.cluster?.value, state.now()) &&
      state.promised?.leaseId !== held.id
    ) {
      return fail('promise-binds', 'this member has promised another leader to hold back');
    }
    const answer = state.probe?.value;
    const next = answer?.kind === 'answered' ? answer.facts.timeline + 1 : undefined;
    // The evidence comes first: a crash right after the promotion must not make it anonymous.
    const saved = await updateHost(state, (host) => ({
      ...host,
      floor: held.n > host.floor.n ? { n: held.n, id: held.id } : host.floor,
      promotions:
        next === undefined
          ? host.promotions
          : addPromotion(host, { id: held.id, timeline: next, switchLsn: LSN_ZERO }),
    }));
    if (!saved)
      return fail(
        'host-state',
        'the generation could not be saved before the promotion',
        'check the disk of the data directory',
      );
    const { postgres, settings } = state.ports;
    const hook = settings.current().postgres.prePromote;
    if (hook !== undefined) {
      const ran = await postgres.runHook(
        hook,
        [],
        settings.current().policy.timing.promoteTimeoutMillis,
      );
      if (!ran.ok) return ran;
    }
    this.#heartbeat.rearm();
    if (!(await this.#heartbeat.armed())) {
      return fail(
        'guardian-not-armed',
        'the guardian did not acknowledge the lease; nothing is promoted without it',
      );
    }
    const current = state.held;
    const { heartbeatMillis, fenceBudgetMillis } = settings.current().policy.timing;
    const enough =
      current?.id === held.id &&
      isValid(current, plus(state.now(), 2 * heartbeatMillis + fenceBudgetMillis));
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
      followed: { id: held.id, timeline },
    }));
  }

  /**
   * A promotion that was written down before it was asked for has happened if its history file is
   * there: nothing has been received from anybody since.
   */
  async #settleAnticipated(): Promise<void> {
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

  async checkpoint(): Promise<Result<void>> {
    return this.#state.ports.postgres.checkpoint(CHECKPOINT_TIMEOUT_MILLIS);
  }

  async initialise(options: JobOptions): Promise<Result<void>> {
    const { settings, postgres } = this.#state.ports;
    const bootstrap = settings.current().bootstrap;
    if (bootstrap === undefined)
      return fail('no-bootstrap', 'the configuration has no bootstrap section');
    const made = await postgres.initialise(bootstrap, options);
    if (!made.ok) return made;
    const directory = await postgres.inspectDataDirectory();
    if (directory.kind !== 'cluster')
      return fail('initialise', 'the new data directory cannot be read');
    const founding = directory.control.systemIdentifier;
    const saved = await updateHost(this.#state, (host) => ({
      ...host,
      founding,
      promotions: [],
      followed: undefined,
    }));
    return saved ? done : fail('host-state', 'the host state could not be saved');
  }

  async finishBootstrap(options: JobOptions): Promise<Result<void>> {
    const { settings, postgres } = this.#state.ports;
    const bootstrap = settings.current().bootstrap;
    const answer = this.#state.probe?.value;
    if (bootstrap === undefined || answer?.kind !== 'answered')
      return fail('no-bootstrap', 'Postgres does not answer');
    const finished = await postgres.finishBootstrap(bootstrap, options.signal);
    if (!finished.ok) return finished;
    const systemIdentifier = answer.facts.systemIdentifier;
    const saved = await updateHost(this.#state, (host) => ({
      ...host,
      systemIdentifier,
      founding: undefined,
    }));
    return saved ? done : fail('host-state', 'the host state could not be saved');
  }

  async clone(source: Upstream, target: Target, options: JobOptions): Promise<Result<void>> {
    const cloned = await this.#state.ports.postgres.clone(source, target, options);
    if (!cloned.ok) return cloned;
    // What the former data directory was promoted under says nothing about this one.
    const saved = await updateHost(this.#state, (host) => ({
      ...host,
      promotions: [],
      followed: undefined,
      founding: undefined,
    }));
    return saved ? done : fail('host-state', 'the host state could not be saved');
  }

  /** A server that was killed has crash recovery to do first: pg_rewind takes only what was shut down. */
  async rewind(source: Upstream, options: JobOptions): Promise<Result<void>> {
    const { postgres } = this.#state.ports;
    const directory = await postgres.inspectDataDirectory();
    if (directory.kind === 'cluster' && !directory.control.state.startsWith('shut down')) {
      const recovered = await postgres.recoverSingleUser(options);
      if (!recovered.ok) return recovered;
    }
    const rewound = await postgres.rewind(source, options);
    if (!rewound.ok) return rewound;
    const saved = await updateHost(this.#state, (host) => ({
      ...host,
      promotions: [],
      followed: undefined,
      founding: undefined,
    }));
    return saved ? done : fail('host-state', 'the host state could not be saved');
  }

  async setAside(reason: string): Promise<Result<void>> {
    const moved = await this.#state.ports.postgres.setAside(reason);
    return moved.ok ? done : moved;
  }

  /** Collects the evidence that a rejoin is decided from. */
  async diagnose(source: Upstream, generationId: string): Promise<Result<void>> {
    const state = this.#state;
    const own = await this.#ownEnd();
    const history = await state.ports.postgres.readSourceHistory(source, HISTORY_TIMEOUT_MILLIS);
    const endLsn = own.ok ? parseLsn(own.value.lsn) : undefined;
    const timeline = own.ok ? own.value.timeline : 0;
    const walAvailable =
      history.ok && endLsn !== undefined
        ? await state.ports.postgres.walAvailable(source, timeline, endLsn, HISTORY_TIMEOUT_MILLIS)
        : 'unknown';
    state.diagnosis = {
      at: state.now(),
      sourceName: source.name,
      generationId,
      own: { timeline, endLsn },
      source: history.ok ? history.value : undefined,
      walAvailable,
      why: history.ok ? undefined : history.error.message,
    };
    return done;
  }

  /** Where the own log ends: asked of a running server, read from the files of a stopped one. */
  async #ownEnd(): Promise<Result<{ readonly timeline: number; readonly lsn: string }>> {
    const state = this.#state;
    const answer = state.probe?.value;
    if (state.postmaster().kind === 'up' && answer?.kind === 'answered') {
      const facts = answer.facts;
      const position = facts.receivedLsn ?? facts.replayedLsn ?? LSN_ZERO;
      const replayed = facts.replayedLsn ?? LSN_ZERO;
      const end = position > replayed ? position : replayed;
      return ok({ timeline: facts.timeline, lsn: formatLsn(end) });
    }
    return state.ports.postgres.readEndOfWal(HISTORY_TIMEOUT_MILLIS * 5);
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
