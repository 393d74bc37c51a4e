import type { Lsn } from './lsn.ts';
import type { EpochMillis, Instant, Millis } from './time.ts';

/** States as published in Consul and REST, Patroni's words. */
export type PostgresState =
  | 'initializing new cluster'
  | 'initdb failed'
  | 'running custom bootstrap script'
  | 'custom bootstrap failed'
  | 'creating replica'
  | 'running'
  | 'starting'
  | 'start failed'
  | 'restarting'
  | 'restart failed'
  | 'stopping'
  | 'stopped'
  | 'stop failed'
  | 'crashed'
  | 'unknown';

/** One row of pg_stat_replication. */
export interface ReplicationRow {
  readonly username: string;
  readonly applicationName: string;
  readonly clientAddress: string | undefined;
  readonly state: string;
  readonly syncState: string;
  readonly syncPriority: number;
  readonly sentLsn: Lsn | undefined;
  readonly flushLsn: Lsn | undefined;
  readonly replayLsn: Lsn | undefined;
}

export interface SlotRow {
  readonly name: string;
  readonly physical: boolean;
  readonly active: boolean;
  readonly restartLsn: Lsn | undefined;
  readonly walStatus: string | undefined;
}

/** What a server said of itself over SQL. */
export interface ServerFacts {
  readonly inRecovery: boolean;
  readonly timeline: number;
  /** Primary: flushed. */
  readonly flushLsn: Lsn | undefined;
  /** Standby: what the receiver has flushed, and what is replayed. */
  readonly receivedLsn: Lsn | undefined;
  readonly replayedLsn: Lsn | undefined;
  /** Standby: it waits for more of the log, having replayed all there is on its disk. Absent: not known. */
  readonly replayedAll?: boolean | undefined;
  readonly replayedAt: EpochMillis | undefined;
  readonly replayPaused: boolean;
  readonly receiverState: string | undefined;
  /** `host:port` that the receiver is connected to. */
  readonly receiverUpstream: string | undefined;
  readonly receiverTimeline: number | undefined;
  readonly latestEndLsn: Lsn | undefined;
  readonly primaryConninfo: string | undefined;
  readonly serverVersionNumber: number;
  readonly postmasterStartedAt: string;
  readonly systemIdentifier: string;
  /** As the session of the probe has it. */
  readonly synchronousStandbyNames: string;
  readonly replication: readonly ReplicationRow[];
  readonly slots: readonly SlotRow[];
  /** Parameters that wait for a restart: name to [running, configured]. */
  readonly pendingRestart: Readonly<Record<string, readonly [string, string]>>;
}

export type ProbeAnswer =
  | {
      readonly kind: 'answered';
      readonly facts: ServerFacts;
      readonly tookMillis: Millis;
      /** True: the session answers, and the postmaster has taken no new connection within the bound. */
      readonly admitsNobody?: boolean;
    }
  /** The server says that it is starting up, shutting down or in crash recovery. */
  | { readonly kind: 'not-accepting'; readonly reason: string }
  /** It serves, and does not let the agent in: no connection is left, or its login is refused. */
  | { readonly kind: 'refusing'; readonly reason: string }
  /** The session does not answer; the postmaster does. */
  | { readonly kind: 'stuck'; readonly reason: string }
  /** Nobody there has answered within the bound, not even the postmaster. */
  | { readonly kind: 'silent'; readonly reason: string }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Room on the file systems of the data directory and of its log, the smaller of the two. */
export interface DiskFacts {
  readonly freeBytes: number;
  /** Since when there has been less than a segment of log takes; undefined: there is enough. */
  readonly fullSince: Instant | undefined;
}

/** Probes in a row that nobody has answered, or that found a postmaster that takes no connection. */
export interface Silence {
  readonly probes: number;
  /**
   * What these probes have waited, all together. Time in which nobody asked, as while this process
   * or the whole host stood still, says nothing of the server.
   */
  readonly waitedMillis: Millis;
}

/** A fact with the moment it was asked for. Unknown is not no. */
export interface Observed<T> {
  readonly value: T;
  readonly askedAt: Instant;
  readonly receivedAt: Instant;
}

/** `Database cluster state` of pg_controldata. */
export type ControlState =
  | 'starting up'
  | 'shut down'
  | 'shut down in recovery'
  | 'shutting down'
  | 'in crash recovery'
  | 'in archive recovery'
  | 'in production'
  | 'unrecognized';

export interface ControlData {
  readonly systemIdentifier: string;
  readonly state: ControlState;
  readonly timeline: number;
  readonly checkpointLsn: Lsn;
  readonly redoLsn: Lsn;
  readonly minimumRecoveryLsn: Lsn;
  readonly minimumRecoveryTimeline: number;
  /** wal_log_hints or data checksums: pg_rewind is possible. */
  readonly rewindable: boolean;
}

export type DataDirectory =
  | { readonly kind: 'absent' }
  /** Our own unfinished work: a clone, an initdb or a rewind that did not end. Never started. */
  | {
      readonly kind: 'unfinished';
      readonly work: 'clone' | 'initialise' | 'rewind';
      readonly systemIdentifier: string | undefined;
    }
  /** Something is there that is no data directory, or cannot be read. Never touched. */
  | { readonly kind: 'unusable'; readonly reason: string; readonly remedy: string }
  | {
      readonly kind: 'cluster';
      readonly majorVersion: number;
      readonly control: ControlData;
      readonly standbySignal: boolean;
      readonly backupLabel: boolean;
    };

/** A line of a timeline history file: `parent` was left at `switchLsn`. */
export interface TimelineSwitch {
  readonly parent: number;
  readonly switchLsn: Lsn;
  readonly reason: string;
}

/** Where a member replicates, clones or rewinds from. */
export interface Upstream {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** `server_version_num` as people write it: 150020 is 15.20, 90624 was 9.6.24. */
export function formatVersion(number: number): string {
  const major = Math.floor(number / 10_000);
  if (major >= 10) return `${major}.${number % 10_000}`;
  return `${major}.${Math.floor(number / 100) % 100}.${number % 100}`;
}
