import type { SyncKey } from '../../src/core/cluster.ts';
import type { ReplicationRow } from '../../src/core/postgres.ts';
import { END, SELF } from './views.ts';

export const aReplicationRow = (
  name: string,
  given: Partial<ReplicationRow> = {},
): ReplicationRow => ({
  username: 'replicator',
  applicationName: name,
  clientAddress: '10.0.0.1',
  state: 'streaming',
  syncState: 'async',
  syncPriority: 0,
  sentLsn: END,
  flushLsn: END,
  replayLsn: END,
  ...given,
});

/** pg2 leads, and pg3 has what it acknowledged. */
export const aSyncKey = (given: Partial<SyncKey> = {}): SyncKey => ({
  leader: SELF,
  standbys: ['pg3'],
  quorum: 0,
  version: 4,
  ...given,
});
