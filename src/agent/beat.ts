import type { Generation, Lease, Status } from '../core/cluster.ts';
import { ownLsn, server } from '../core/facts.ts';
import type { HeldLease } from '../core/lease.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import type { Change, StoreWrite } from '../ports/cluster-store.ts';
import { promotionsMade } from './host-memory.ts';
import { keepLeaderKey } from './leader-key.ts';
import type { LeaderKeyState } from './leader-key.ts';
import type { AgentState } from './state.ts';
import { syncAgain } from './synchronous.ts';

/** What one heartbeat carries besides the lease itself. */
export interface BeatContent {
  readonly lease: Lease;
  readonly leaderKey: LeaderKeyState;
  readonly generation: Generation | undefined;
  readonly failsafe: readonly Change[];
  /** Key `sync`, for a store that has lost it. */
  readonly sync: ReturnType<typeof syncAgain>;
}

/** Chained on the last confirmed write and on the generation; the `leader` key is ours or becomes so. */
export function buildBeat(state: AgentState, held: HeldLease, content: BeatContent): StoreWrite {
  const self = state.ports.settings.current().member.name;
  const key = keepLeaderKey(content.leaderKey, self, state.session);
  const changes: Change[] = [
    { kind: 'set', entry: { key: 'lease', value: content.lease } },
    ...key.changes,
    ...content.failsafe,
    ...(content.sync === undefined ? [] : [content.sync.change]),
  ];
  const status = statusOf(state);
  if (status !== undefined) changes.push({ kind: 'set', entry: { key: 'status', value: status } });
  if (content.generation !== undefined) {
    changes.push({ kind: 'set', entry: { key: 'generation', value: content.generation } });
  }
  return {
    guards: [
      { kind: 'index', key: 'generation', index: held.generationIndex },
      { kind: 'index', key: 'lease', index: held.leaseIndex ?? 0 },
      ...key.guards,
      ...(content.sync === undefined ? [] : [content.sync.guard]),
    ],
    changes,
  };
}

/** A store that has lost the newest generation is given it back, with the key `sync` that belongs to it. */
export function withTheLost(
  state: AgentState,
  held: HeldLease,
  content: Omit<BeatContent, 'sync'>,
): BeatContent {
  if (!held.amnesia) return { ...content, sync: undefined };
  const generation = content.generation ?? generationAgain(state, held);
  return { ...content, generation, sync: syncAgain(state, held) };
}

/** The own generation, as it is written back into a store that has lost it. */
function generationAgain(state: AgentState, held: HeldLease): Generation {
  const made = promotionsMade(state.host);
  const promotion = made.find((entry) => entry.id === held.id);
  const known = state.ownGeneration?.id === held.id ? state.ownGeneration : undefined;
  return {
    n: held.n,
    id: held.id,
    holder: state.ports.settings.current().member.name,
    timeline: promotion?.timeline ?? known?.timeline ?? 0,
    switchLsn: promotion?.switchLsn ?? known?.switchLsn ?? LSN_ZERO,
    ancestors: known?.ancestors ?? made.filter((entry) => entry !== promotion),
  };
}

function statusOf(state: AgentState): Status | undefined {
  const facts = server(state.view());
  if (facts === undefined || facts.inRecovery) return undefined;
  const optime = ownLsn(facts);
  if (optime === undefined) return undefined;
  const physical = facts.slots.flatMap((slot) =>
    slot.physical && slot.restartLsn !== undefined ? [[slot.name, slot.restartLsn] as const] : [],
  );
  return { optime, slots: Object.fromEntries(physical), retainSlots: [] };
}
