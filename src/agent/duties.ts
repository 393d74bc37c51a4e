import { indexOf, valueOf } from '../core/cluster.ts';
import type { ClusterRecord, HistoryEntry } from '../core/cluster.ts';
import type { StoreWrite } from '../ports/cluster-store.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { Promotion } from './promotion.ts';
import type { AgentState } from './state.ts';
import { ANCESTORS_KEPT } from './succession.ts';

/** What a leader writes besides its lease. Each write is guarded by the generation it acts under. */
export class Duties {
  readonly #state: AgentState;
  readonly #heartbeat: Heartbeat;
  readonly #promotion: Promotion;

  constructor(state: AgentState, heartbeat: Heartbeat, promotion: Promotion) {
    this.#state = state;
    this.#heartbeat = heartbeat;
    this.#promotion = promotion;
  }

  /** The cluster exists: its system identifier and, the first time, its configuration. */
  async writeInitialize(systemIdentifier: string): Promise<boolean> {
    const settings = this.#state.ports.settings.current();
    const dynamic = this.#state.lastConfig ?? settings.bootstrap?.dynamic;
    return this.#guarded('initialize', (record) => ({
      guards: [{ kind: 'index', key: 'initialize', index: indexOf(record.initialize) }],
      changes: [
        { kind: 'set', entry: { key: 'initialize', value: systemIdentifier } },
        ...(record.config.kind === 'absent' && dynamic !== undefined
          ? ([{ kind: 'set', entry: { key: 'config', value: dynamic } }] as const)
          : []),
      ],
    }));
  }

  /** Puts timeline and switch point of the own promotion into `generation`, with the next beat. */
  async recordPromotion(): Promise<void> {
    const record = this.#state.cluster?.value;
    const held = this.#state.held;
    const generation = record === undefined ? undefined : valueOf(record.generation);
    if (held === undefined || generation?.id !== held.id) return;
    const promotion = await this.#promotion.promotionRecord();
    if (promotion === undefined || promotion.timeline === generation.timeline) return;
    const former =
      generation.timeline > 0
        ? [
            {
              id: generation.id,
              holder: generation.holder,
              timeline: generation.timeline,
              switchLsn: generation.switchLsn,
            },
          ]
        : [];
    this.#heartbeat.recordGeneration({
      ...generation,
      ...promotion,
      ancestors: [...former, ...generation.ancestors].slice(0, ANCESTORS_KEPT),
    });
  }

  /** Key `history`: one entry for each switch in the own history file, with who led and when. */
  async writeHistory(): Promise<boolean> {
    const state = this.#state;
    const answer = state.probe?.value;
    if (answer?.kind !== 'answered') return false;
    const switches = await state.ports.postgres.readOwnHistory(answer.facts.timeline);
    const settings = state.ports.settings.current();
    const timestamp = new Date(state.ports.clock.wall()).toISOString();
    return this.#guarded('history', (record) => {
      const known = valueOf(record.history) ?? [];
      const entries = switches.map((entry, position): HistoryEntry => {
        const before = known.find(
          (line) => line.timeline === entry.parent && line.lsn === entry.switchLsn,
        );
        const newest = position === switches.length - 1;
        return {
          timeline: entry.parent,
          lsn: entry.switchLsn,
          reason: entry.reason,
          timestamp: before?.timestamp ?? (newest ? timestamp : undefined),
          leader: before?.leader ?? (newest ? settings.member.name : undefined),
        };
      });
      const limit = settings.policy.maxTimelinesHistory;
      const value = limit > 0 ? entries.slice(-limit) : entries;
      return {
        guards: [{ kind: 'index', key: 'history', index: indexOf(record.history) }],
        changes: [{ kind: 'set', entry: { key: 'history', value } }],
      };
    });
  }

  /** A request in key `failover` has been dealt with. */
  async clearFailover(index: number): Promise<boolean> {
    return this.#guarded('failover', (record) =>
      indexOf(record.failover) === index
        ? {
            guards: [{ kind: 'index', key: 'failover', index }],
            changes: [{ kind: 'delete', key: 'failover' }],
          }
        : undefined,
    );
  }

  async #guarded(
    what: string,
    build: (record: ClusterRecord) => StoreWrite | undefined,
  ): Promise<boolean> {
    const state = this.#state;
    const record = state.cluster?.value;
    const held = state.held;
    if (record === undefined || held === undefined || valueOf(record.generation)?.id !== held.id)
      return false;
    const write = build(record);
    if (write === undefined) return true;
    const guards = [
      { kind: 'index', key: 'generation', index: indexOf(record.generation) } as const,
      ...write.guards,
    ];
    const timeout = state.ports.settings.current().policy.timing.retryTimeoutMillis;
    const answer = await state.ports.store.commit({ guards, changes: write.changes }, timeout);
    if (answer.kind === 'committed') return true;
    const reason = answer.kind === 'refused' ? answer.reason : answer.failure.message;
    state.ports.logger.log('info', `key ${what} was not written, tries again`, { reason });
    return false;
  }
}
