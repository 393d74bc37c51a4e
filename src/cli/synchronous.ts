import { valueOf } from '../core/cluster.ts';
import type { ClusterRecord, SyncKey } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import { guaranteedCopies, isListed } from '../core/synchronous-set.ts';
import { synchronousMode } from './members.ts';

/** A key that names a leader is in force, whatever the configuration says by now. */
function inForce(record: ClusterRecord): (SyncKey & { readonly leader: string }) | undefined {
  const sync = valueOf(record.sync);
  return sync?.leader === undefined ? undefined : { ...sync, leader: sync.leader };
}

/** Whether a failover to this member may lose commits that were acknowledged as synchronous. */
export function isAsynchronousCandidate(record: ClusterRecord, candidate: string): boolean {
  const sync = inForce(record);
  return sync !== undefined && sync.leader !== candidate && !isListed(sync, candidate);
}

const namesOf = ({ standbys }: SyncKey): string => standbys.toSorted().join(', ');

/** Whom commits wait for and who may be promoted; undefined where replication is asynchronous. */
export function describeSynchronous(record: ClusterRecord): string | undefined {
  if (record.sync.kind === 'garbled') {
    return `the key sync in Consul cannot be read (${record.sync.reason}): nobody knows who may lead without loss`;
  }
  const mode = synchronousMode(valueOf(record.config) ?? {});
  const sync = inForce(record);
  if (sync === undefined) {
    return mode === 'off'
      ? undefined
      : 'asked for and not in effect yet: the leader acknowledges commits alone';
  }
  const ending = mode === 'off' ? '; it is being switched off' : '';
  if (sync.standbys.length === 0) {
    return (
      `no standby: only ${sync.leader} may lead again by itself; ` +
      `"pgbaton failover" makes another member the leader and may lose commits${ending}`
    );
  }
  if (sync.quorum === 0) {
    const have = sync.standbys.length === 1 ? 'has' : 'have';
    return `${namesOf(sync)} ${have} every commit that was acknowledged${ending}`;
  }
  return (
    `every acknowledged commit is on ${guaranteedCopies(sync)} of ${namesOf(sync)}; ` +
    `a promotion needs ${sync.quorum + 1} of them to answer${ending}`
  );
}

/** What people should see below the members: replication that is asked for and not there. */
export function synchronousWarning(record: ClusterRecord): string | undefined {
  if (synchronousMode(valueOf(record.config) ?? {}) === 'off') return undefined;
  const sync = inForce(record);
  if (sync === undefined) return 'Synchronous replication: not in effect yet.';
  if (sync.standbys.length > 0) return undefined;
  return 'Synchronous replication: no standby. "pgbaton explain" tells what that means.';
}

/** Tag `nosync`, or a `sync_priority` of zero or less. */
export function mayBeSynchronous(tags: JsonObject): boolean {
  const priority = tags['sync_priority'];
  if (typeof tags['nosync'] === 'boolean') return !tags['nosync'];
  return !(typeof priority === 'number' && priority <= 0);
}
