import type { Lsn } from './lsn.ts';
import type { Lagging, Memory } from './memory.ts';
import type { ReplicationRow, ServerFacts } from './postgres.ts';
import { same } from './same.ts';
import { since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { View } from './view.ts';

/** Who has just been there is expected back for so long: after a promotion everybody connects anew. */
const ABSENCE_MILLIS: Millis = 1000;
/**
 * Nothing more was flushed for so long although there is more: the connection may be half-open, which
 * PostgreSQL finds out after wal_sender_timeout, and commits would stand still until then.
 */
const STALL_MILLIS: Millis = 5000;
/** Progress is looked at no more often. */
const PROGRESS_EVERY_MILLIS: Millis = 1000;

/** Names are compared as PostgreSQL compares application names with the list. */
const keyOf = (name: string): string => name.toLowerCase();

const isFurther = (a: ReplicationRow, b: ReplicationRow): boolean =>
  b.flushLsn === undefined || (a.flushLsn !== undefined && a.flushLsn > b.flushLsn);

/** The row of a member that streams, the furthest where it has several. */
export function streamingRow(facts: ServerFacts, name: string): ReplicationRow | undefined {
  const rows = facts.replication.filter(
    (row) => row.state === 'streaming' && keyOf(row.applicationName) === keyOf(name),
  );
  return rows.reduce<ReplicationRow | undefined>(
    (best, row) => (best === undefined || isFurther(row, best) ? row : best),
    undefined,
  );
}

/** Keeps book of these standbys; the same memory when there is nothing new. */
export function noteLagging(
  view: View,
  memory: Memory,
  facts: ServerFacts,
  names: readonly string[],
): Memory {
  const at = view.probe?.receivedAt ?? view.now;
  const entries = names.flatMap((name): readonly (readonly [string, Lagging])[] => {
    const row = streamingRow(facts, name);
    const known = memory.syncLagging[keyOf(name)];
    if (row === undefined) {
      const since = known === undefined || known.flushLsn !== undefined ? at : known.since;
      return [[keyOf(name), { flushLsn: undefined, since }]];
    }
    const { flushLsn } = row;
    if (flushLsn === undefined || flushLsn >= (facts.flushLsn ?? flushLsn)) return [];
    return [[keyOf(name), progressOf(known, flushLsn, at)]];
  });
  const syncLagging = Object.fromEntries(entries);
  return same(syncLagging, memory.syncLagging) ? memory : { ...memory, syncLagging };
}

function progressOf(known: Lagging | undefined, flushLsn: Lsn, at: Instant): Lagging {
  if (known?.flushLsn === undefined) return { flushLsn, since: at };
  const moved = known.flushLsn !== flushLsn && since(known.since, at) >= PROGRESS_EVERY_MILLIS;
  return moved ? { flushLsn, since: at } : known;
}

/** `expected`: it was there a moment ago. `stuck`: it is connected, and does not come on. */
export type Presence = 'there' | 'expected' | 'stuck' | 'gone';

export function presenceOf(view: View, memory: Memory, facts: ServerFacts, name: string): Presence {
  const row = streamingRow(facts, name);
  const known = memory.syncLagging[keyOf(name)];
  const forMillis = known === undefined ? 0 : since(known.since, view.now);
  if (row === undefined) {
    return known !== undefined && forMillis <= ABSENCE_MILLIS ? 'expected' : 'gone';
  }
  const still = known?.flushLsn !== undefined && known.flushLsn === row.flushLsn;
  return still && forMillis > STALL_MILLIS ? 'stuck' : 'there';
}
