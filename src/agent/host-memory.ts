import type { Target } from '../core/action.ts';
import { valueOf } from '../core/cluster.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import type { ServerFacts } from '../core/postgres.ts';
import type { HostMemory } from '../core/view.ts';
import type { AgentState } from './state.ts';

/**
 * What this host must not forget. Memory and disk change together, disk first: whoever awaits
 * `update` may rely on it being durable. Changes are made one after another, each on the outcome of
 * the one before.
 */
export async function updateHost(
  state: AgentState,
  change: (host: HostMemory) => HostMemory,
): Promise<boolean> {
  const turn = state.hostWrites.then(async () => write(state, change));
  state.hostWrites = turn;
  return turn;
}

async function write(
  state: AgentState,
  change: (host: HostMemory) => HostMemory,
): Promise<boolean> {
  const next = change(state.host);
  if (next === state.host) return true;
  const saved = await state.ports.hostState.save(next);
  if (!saved.ok) {
    state.ports.logger.log('error', 'the host state could not be saved', {
      code: saved.error.code,
      reason: saved.error.message,
      remedy: saved.error.remedy,
    });
    return false;
  }
  state.host = next;
  return true;
}

export function raiseFloor(n: number, id: string | undefined): (host: HostMemory) => HostMemory {
  return (host) => (n > host.floor.n ? { ...host, floor: { n, id } } : host);
}

/** Promotions that have happened; one that was only written down before it was asked for has no switch point yet. */
export const promotionsMade = (host: HostMemory): HostMemory['promotions'] =>
  host.promotions.filter((promotion) => promotion.switchLsn !== LSN_ZERO);

/** The branch that whoever follows the present leader is on. */
export function followedNow(state: AgentState): HostMemory['followed'] {
  const record = state.cluster?.value;
  const generation = record === undefined ? undefined : valueOf(record.generation);
  if (generation === undefined || generation.timeline === 0) return undefined;
  return { id: generation.id, timeline: generation.timeline };
}

/** Written down before Postgres is pointed there: what it receives from then on is of that branch. */
export async function noteUpstream(state: AgentState, target: Target): Promise<boolean> {
  const followed = followedNow(state);
  if (target.upstream === undefined || followed === undefined) return true;
  const { host } = state;
  if (host.followed?.id === followed.id && host.followed.timeline === followed.timeline)
    return true;
  return updateHost(state, (before) => ({ ...before, followed }));
}

/**
 * A standby went over to a higher timeline by itself: its upstream was promoted. Whose branch that is
 * says the record, or else the newest generation that has been heard of.
 */
export function noteTimeline(state: AgentState, facts: ServerFacts): void {
  const { followed, floor } = state.host;
  if (!facts.inRecovery || followed === undefined || facts.timeline <= followed.timeline) return;
  const record = state.cluster?.value;
  const generation = record === undefined ? undefined : valueOf(record.generation);
  const known = generation === undefined ? [] : [generation, ...generation.ancestors];
  const promoted = known.find((entry) => entry.timeline === facts.timeline);
  const id = promoted?.id ?? floor.id ?? followed.id;
  const { timeline } = facts;
  void updateHost(state, (host) => ({ ...host, followed: { id, timeline } }));
}
