import type { Slot, SyncKey } from './cluster.ts';
import type { SynchronousPolicy } from './settings.ts';
import type { Millis } from './time.ts';

/** What a member is to synchronous replication, as load balancers, people and dashboards are told. */
export type Standing = 'sync' | 'quorum' | 'async';

/**
 * The standbys that answer for acknowledged commits. Without a leader the key promises nothing
 * (Patroni's SyncState.is_empty), whatever names stand in it.
 */
export const listedStandbys = (sync: SyncKey | undefined): readonly string[] =>
  sync?.leader === undefined ? [] : sync.standbys;

/** PostgreSQL compares names in `synchronous_standby_names` without regard to case, and so does Patroni. */
export const isListed = (sync: SyncKey | undefined, name: string): boolean =>
  listedStandbys(sync).some((standby) => standby.toLowerCase() === name.toLowerCase());

/** The mode tells which word the listed standbys are called by; off, they are still listed until the key is gone. */
export function standingOf(
  name: string,
  sync: SyncKey | undefined,
  mode: SynchronousPolicy['mode'],
): Standing {
  if (!isListed(sync, name)) return 'async';
  return mode === 'quorum' ? 'quorum' : 'sync';
}

/** Standbys that have each acknowledged commit for certain, 0: none; of the listed ones, any so many. */
export const guaranteedCopies = (sync: SyncKey | undefined): number =>
  Math.max(0, listedStandbys(sync).length - (sync?.quorum ?? 0));

/** Longer than a quiet watch may wait: who has not read Consul for so long may have left the set unaware. */
const KEY_FRESH_MILLIS: Millis = 15_000;

/**
 * What a member may say of itself. Patroni's conditions: with the mode off nobody is synchronous, and
 * without a fresh look at the key nobody knows.
 */
export function ownStanding(
  name: string,
  mode: SynchronousPolicy['mode'],
  seen: { readonly sync: Slot<SyncKey>; readonly ageMillis: Millis } | undefined,
): Standing | 'unknown' {
  if (mode === 'off') return 'async';
  if (seen === undefined || seen.ageMillis > KEY_FRESH_MILLIS) return 'unknown';
  const { sync } = seen;
  if (sync.kind === 'garbled') return 'unknown';
  return standingOf(name, sync.kind === 'present' ? sync.value : undefined, mode);
}
