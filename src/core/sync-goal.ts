import type { ClusterRecord, Member } from './cluster.ts';
import { lagBytes, LSN_ZERO, maxLsn } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { ReplicationRow, ServerFacts } from './postgres.ts';
import type { CommitRule, Electorate, SyncGoal } from './quorum.ts';
import type { View } from './view.ts';

/** A standby further behind is not taken in: commits would stand still until it has caught up. */
const CATCH_UP_BYTES = 16n * 1024n * 1024n;

interface Standby {
  readonly name: string;
  readonly row: ReplicationRow;
  readonly nofailover: boolean;
  readonly priority: number;
}

/** Names are compared as PostgreSQL compares application names with the list. */
const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

const flushed = (row: ReplicationRow): Lsn => row.flushLsn ?? LSN_ZERO;

/** The row of a member that streams, the furthest where it has several. */
export function streamingRow(facts: ServerFacts, name: string): ReplicationRow | undefined {
  return facts.replication
    .filter((row) => row.state === 'streaming' && isSame(row.applicationName, name))
    .toSorted((a, b) => (flushed(a) > flushed(b) ? -1 : 1))[0];
}

/** Of these, who streams and has flushed all up to there. */
export const flushedUpTo = (
  facts: ServerFacts,
  names: readonly string[],
  barrier: Lsn,
): readonly string[] =>
  names.filter((name) => {
    const row = streamingRow(facts, name);
    return row !== undefined && flushed(row) >= barrier;
  });

/** Whom commits shall wait for, out of those that are there: Patroni's order, and its limits. */
export function syncGoal(
  view: View,
  cluster: ClusterRecord,
  facts: ServerFacts,
  now: { readonly electorate: Electorate; readonly rule: CommitRule },
): SyncGoal {
  const { strict, nodeCount, mode } = view.settings.policy.synchronous;
  const present = [...now.rule.standbys, ...now.electorate.voters];
  const standbys = withinReach(view, facts, present, candidatesOf(view, cluster, facts)).toSorted(
    (a, b) =>
      Number(a.nofailover) - Number(b.nofailover) ||
      b.priority - a.priority ||
      Number(present.includes(b.name)) - Number(present.includes(a.name)) ||
      (flushed(a.row) === flushed(b.row) ? 0 : flushed(a.row) > flushed(b.row) ? -1 : 1),
  );
  const able = standbys.filter(({ nofailover }) => !nofailover).length;
  const wanted = mode === 'quorum' ? Math.max(able, nodeCount) : nodeCount;
  const names = standbys.slice(0, wanted).map(({ name }) => name);
  return { standbys: names, count: Math.min(nodeCount, names.length), strict };
}

function candidatesOf(view: View, cluster: ClusterRecord, facts: ServerFacts): readonly Standby[] {
  return cluster.members.flatMap((member): readonly Standby[] => {
    const { name, tags } = member.key;
    const row = streamingRow(facts, name);
    const priority = priorityOf(member);
    if (name === view.self || row === undefined || priority <= 0) return [];
    return [{ name, row, priority, nofailover: tags?.['nofailover'] === true }];
  });
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
  present: readonly string[],
  standbys: readonly Standby[],
): readonly Standby[] {
  const limit = view.settings.policy.synchronous.maximumLagBytes;
  const end = facts.flushLsn ?? LSN_ZERO;
  const furthest = standbys.reduce((most, { row }) => maxLsn(most, flushed(row)), LSN_ZERO);
  const reference = standbys.length > 1 ? furthest : end;
  return standbys.filter(({ name, row }) => {
    const position = flushed(row);
    if (limit !== undefined && lagBytes(reference, position) > BigInt(limit)) return false;
    return present.includes(name) || lagBytes(end, position) <= CATCH_UP_BYTES;
  });
}
