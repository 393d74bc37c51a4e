import type { Target } from '../core/action.ts';
import { branchesOf, receivedBranch } from '../core/branch.ts';
import { valueOf } from '../core/cluster.ts';
import type { Generation } from '../core/cluster.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import type { ServerFacts } from '../core/postgres.ts';
import { same } from '../core/same.ts';
import type { Instant } from '../core/time.ts';
import type { HostMemory } from '../core/view.ts';
import type { AgentState, LeaderSaid } from './state.ts';

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
  state.hostUnsavedAt = saved.ok ? undefined : state.now();
  if (!saved.ok) {
    state.ports.meter.count('host_state_errors_total');
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

/** The branch that whoever replicates from `source` is on. */
export function followedNow(state: AgentState, source: string): HostMemory['followed'] {
  const generation = recordedGeneration(state);
  if (generation === undefined || generation.timeline === 0) return undefined;
  const { id, timeline } = generation;
  return { id, timeline, from: source, lineage: branchesOf(generation) };
}

const recordedGeneration = (state: AgentState): Generation | undefined => {
  const record = state.cluster?.value;
  return record === undefined ? undefined : valueOf(record.generation);
};

/** Written down before Postgres is pointed there: what it receives from then on is of that branch. */
export async function noteUpstream(state: AgentState, target: Target): Promise<boolean> {
  if (target.upstream === undefined) return true;
  const followed = followedNow(state, target.upstream.name);
  if (followed === undefined) return true;
  return updateHost(state, (host) => {
    const before = host.followed;
    if (same(before, followed)) return host;
    // The holder has promoted again, and has not recorded it yet.
    const ahead = before?.id === followed.id && before.timeline > followed.timeline;
    return { ...host, followed: ahead ? { ...before, from: followed.from } : followed };
  });
}

/**
 * A standby went over to a higher timeline by itself: its upstream was promoted, or is no primary any
 * more and passes on what it receives.
 */
export async function noteTimeline(state: AgentState, facts: ServerFacts): Promise<void> {
  const { followed } = state.host;
  const { timeline } = facts;
  if (!facts.inRecovery || followed === undefined || timeline <= followed.timeline) return;
  const { from } = followed;
  const said = state.leaderSaid;
  const isSaid = said !== undefined && said.name === from && said.timeline === timeline;
  const branch = isSaid ? { id: said.leaseId } : await guessBranch(state, timeline);
  if (branch === undefined) return;
  const lineage = [{ id: followed.id, timeline: followed.timeline }, ...(followed.lineage ?? [])];
  await updateHost(state, (host) => ({
    ...host,
    followed: { ...branch, timeline, from, lineage },
  }));
}

type Followed = NonNullable<HostMemory['followed']>;

async function guessBranch(
  state: AgentState,
  timeline: number,
): Promise<Pick<Followed, 'id' | 'guessedFrom'> | undefined> {
  const branch = receivedBranch(state.host, recordedGeneration(state), timeline);
  if (branch === undefined) return undefined;
  const switches = await state.ports.postgres.readOwnHistory(timeline);
  state.timelineNotedAt = state.now();
  return { id: branch.id, guessedFrom: switches.at(-1)?.switchLsn ?? LSN_ZERO };
}

/** It is no guess any more, unless something else is followed by now. */
function settleGuess(state: AgentState, guess: Followed, id: string): void {
  const certain = { ...guess, id, guessedFrom: undefined };
  void updateHost(state, (host) =>
    host.followed === guess ? { ...host, followed: certain } : host,
  );
}

/** Still the newest generation after its timeline was received: so that timeline is of no later one. */
export function confirmTimeline(state: AgentState, leaseId: string, n: number, at: Instant): void {
  const { followed, floor } = state.host;
  if (followed?.guessedFrom === undefined || followed.id !== leaseId || n < floor.n) return;
  if (at >= (state.timelineNotedAt ?? state.startedAt)) settleGuess(state, followed, leaseId);
}

/** That of the own primary; 0: Postgres does not say, or is none. */
export function promotedTimeline({ probe }: AgentState): number {
  const answer = probe?.value;
  return answer?.kind === 'answered' && !answer.facts.inRecovery ? answer.facts.timeline : 0;
}

/**
 * The leader says itself under which generation it was promoted to the timeline that is streamed from
 * it right now: where the record did not tell, it was a guess whose that is.
 */
export function learnTimeline(state: AgentState, leader: LeaderSaid): void {
  const { name, leaseId, timeline } = leader;
  state.leaderSaid = { name, leaseId, timeline };
  const { followed } = state.host;
  const answer = state.probe?.value;
  if (followed?.guessedFrom === undefined || answer?.kind !== 'answered') return;
  const { receiverState, receiverTimeline } = answer.facts;
  const streams = receiverState === 'streaming' && receiverTimeline === timeline;
  if (streams && followed.from === name && followed.timeline === timeline)
    settleGuess(state, followed, leaseId);
}
