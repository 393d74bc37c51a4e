import type { ProbeAnswer, ServerFacts } from '../../src/core/postgres.ts';
import type { SyncNames } from '../../src/core/sync-names.ts';
import type { Server } from './model.ts';

/** What the server says of itself to the probe. */
export function probeOf(server: Server, names: SyncNames): ProbeAnswer {
  switch (server.state) {
    case 'down':
      return { kind: 'unreachable', reason: 'connection refused' };
    case 'starting':
      return { kind: 'not-accepting', reason: 'the database system is starting up' };
    case 'stopping':
      return { kind: 'not-accepting', reason: 'the database system is shutting down' };
    case 'recovery':
      if (!server.consistent)
        return { kind: 'not-accepting', reason: 'not yet accepting connections' };
      return { kind: 'answered', facts: factsOf(server, names, true), tookMillis: 1 };
    case 'primary':
      return { kind: 'answered', facts: factsOf(server, names, false), tookMillis: 1 };
  }
}

function factsOf(server: Server, names: SyncNames, inRecovery: boolean): ServerFacts {
  const { receiver, replication } = server;
  const disk = server.disk();
  const from = receiver.upstream;
  return {
    inRecovery,
    timeline: disk.branch.timeline,
    flushLsn: inRecovery ? undefined : disk.end,
    receivedLsn: inRecovery ? receiver.received : undefined,
    replayedLsn: inRecovery ? disk.end : undefined,
    // The model replays all that is on the disk before it answers.
    replayedAll: inRecovery ? true : undefined,
    replayedAt: undefined,
    replayPaused: false,
    receiverState: from === undefined ? undefined : 'streaming',
    receiverUpstream: from === undefined ? undefined : `${from.host.address}:5432`,
    receiverTimeline: from === undefined ? undefined : disk.branch.timeline,
    latestEndLsn: from === undefined ? undefined : disk.end,
    primaryConninfo: inRecovery ? receiver.conninfo : undefined,
    serverVersionNumber: 150_000,
    postmasterStartedAt: String(server.startedAt),
    systemIdentifier: disk.systemIdentifier,
    synchronousStandbyNames: server.synchronousStandbyNames,
    replication: replication.rows(names, disk.end),
    slots: replication.slots.map(({ name, restartLsn }) => ({
      name,
      physical: true,
      active: replication.isActive(name),
      restartLsn,
      walStatus: restartLsn !== undefined && restartLsn < disk.oldestWal ? 'lost' : 'reserved',
    })),
    pendingRestart: {},
  };
}
