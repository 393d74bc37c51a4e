import type { ClusterRecord, Member } from './cluster.ts';
import { lagBytes, LSN_ZERO, maxLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { Memory } from './memory.ts';
import type { ServerFacts } from './postgres.ts';
import type { CommitRule, Electorate, SyncGoal } from './quorum.ts';
import { presenceOf, streamingRow } from './sync-presence.ts';
import type { View } from './view.ts';

/** A standby further behind is not taken in: commits would stand still until it has caught up. */
const CATCH_UP_BYTES = 16n * 1024n * 1024n;

interface Standby {
  readonly name: string;
  /** Undefined: it was there a moment ago. */
  readonly flushed: Lsn | undefined;
  /** Commits wait for it, or it may be promoted, already. */
  readonly present: boolean;
  readonly nofailover: boolean;
  readonly priority: number;
}

/** Of these, who streams and has flushed all up to there. */
export const flushedUpTo = (
  facts: ServerFacts,
  names: readonly string[],
  barrier: Lsn,
): readonly string[] =>
  names.filter((name) => (streamingRow(facts, name)?.flushLsn ?? LSN_ZERO) >= barrier);

/** Whom commits shall wait for, out of those that are there: Patroni's order, and its limits. */
export function syncGoal(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  facts: ServerFacts,
  now: { readonly electorate: Electorate; readonly rule: CommitRule },
): SyncGoal {
  const { strict, nodeCount, mode } = view.settings.policy.synchronous;
  const present = [...now.rule.standbys, ...now.electorate.voters];
  const candidates = cluster.members.flatMap((member) =>
    standbyOf(view, memory, facts, member, present),
  );
  const standbys = withinReach(view, facts, candidates).toSorted(
    (a, b) =>
      Number(b.flushed !== undefined) - Number(a.flushed !== undefined) ||
      Number(a.nofailover) - Number(b.nofailover) ||
      b.priority - a.priority ||
      Number(b.present) - Number(a.present) ||
      compare(b.flushed ?? LSN_ZERO, a.flushed ?? LSN_ZERO),
  );
  const able = standbys.filter(({ nofailover }) => !nofailover).length;
  const wanted = mode === 'quorum' ? Math.max(able, nodeCount) : nodeCount;
  const names = standbys.slice(0, wanted).map(({ name }) => name);
  return { standbys: names, count: Math.min(nodeCount, names.length), strict };
}

const compare = (a: Lsn, b: Lsn): number => (a === b ? 0 : a > b ? 1 : -1);

function standbyOf(
  view: View,
  memory: Memory,
  facts: ServerFacts,
  member: Member,
  known: readonly string[],
): readonly Standby[] {
  const { name, tags } = member.key;
  const priority = priorityOf(member);
  const present = known.includes(name);
  if (name === view.self || priority <= 0) return [];
  const presence = presenceOf(view, memory, facts, name);
  // The leader before this one is not back as long as it has not said that it is a standby.
  const isExpected = present && presence === 'expected' && member.key.role !== 'primary';
  if (presence !== 'there' && !isExpected) return [];
  const flushed = streamingRow(facts, name)?.flushLsn;
  return [{ name, flushed, present, priority, nofailover: tags?.['nofailover'] === true }];
}

function priorityOf({ key: { tags } }: Member): number {
  if (tags?.['nosync'] === true) return 0;
  const priority = tags?.['sync_priority'];
  return typeof priority === 'number' ? priority : 1;
}

/** `maximum_lag_on_syncnode` counts against the most advanced standby; a new one must also be near the leader. */
function withinReach(
  view: View,
  facts: ServerFacts,
  standbys: readonly Standby[],
): readonly Standby[] {
  const limit = view.settings.policy.synchronous.maximumLagBytes;
  const end = facts.flushLsn ?? LSN_ZERO;
  const positions = standbys.map(({ flushed }) => flushed ?? LSN_ZERO);
  const reference = standbys.length > 1 ? positions.reduce(maxLsn, LSN_ZERO) : end;
  return standbys.filter(({ present, flushed }) => {
    if (flushed === undefined) return present;
    if (limit !== undefined && lagBytes(reference, flushed) > BigInt(limit)) return false;
    return present || lagBytes(end, flushed) <= CATCH_UP_BYTES;
  });
}
