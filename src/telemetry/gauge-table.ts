import { valueOf, type SyncKey } from '../core/cluster.ts';
import { lagBytes, type Lsn } from '../core/lsn.ts';
import type { PostgresState, ServerFacts } from '../core/postgres.ts';
import {
  guaranteedCopies,
  listedStandbys,
  ownStanding,
  type Standing,
} from '../core/synchronous-set.ts';
import { ACTIVITY_GAUGES } from './activity-gauges.ts';
import { bit, gauge, labelled, sampled } from './sampled-metric.ts';
import type { Point, Sample, SampledMetric } from './sampled-metric.ts';

const STATE_NUMBERS: Readonly<Record<PostgresState, number>> = {
  'initializing new cluster': 0,
  'initdb failed': 1,
  'running custom bootstrap script': 2,
  'custom bootstrap failed': 3,
  'creating replica': 4,
  running: 5,
  starting: 6,
  'start failed': 8,
  restarting: 9,
  'restart failed': 10,
  stopping: 11,
  stopped: 12,
  'stop failed': 13,
  crashed: 14,
  unknown: -1,
};

const STATE_HELP = Object.entries(STATE_NUMBERS)
  .map(([state, number]) => `${number}=${state}`)
  .join(', ');

const bytes = (position: Lsn | undefined): number => Number(position ?? 0n);

/** Postgres' own words, only while it can speak. */
function facts({ status }: Sample): ServerFacts | undefined {
  return status.state === 'running' ? status.server?.facts : undefined;
}

function epochSeconds(postgresTime: string | undefined): number {
  if (postgresTime === undefined) return 0;
  const iso = postgresTime.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00');
  const millis = Date.parse(iso);
  return Number.isNaN(millis) ? 0 : millis / 1000;
}

/** 4.1.3 as 040103. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map(Number);
  const number = major * 10_000 + minor * 100 + patch;
  return Number.isNaN(number) ? 0 : number;
}

const position = (
  name: string,
  help: string,
  value: (server: ServerFacts) => Lsn | undefined,
): SampledMetric =>
  sampled('counter', name, help, (sample) => {
    const server = facts(sample);
    return server === undefined ? 0 : bytes(value(server));
  });

function standingOfStandby({ status, settings, record }: Sample): Standing | 'unknown' {
  const { member, policy } = settings;
  const ageMillis = status.storeSeenMillis;
  const known = record !== undefined && ageMillis !== undefined && status.role === 'replica';
  const seen = known ? { sync: record.sync, ageMillis } : undefined;
  return ownStanding(member.name, policy.synchronous.mode, seen);
}

/** The key `sync` as last read; an unreadable one says nothing, and so does its absence before the first read. */
const syncKey = ({ record }: Sample): SyncKey | undefined =>
  record === undefined ? undefined : valueOf(record.sync);

/** Names, types and values as in Patroni 4.1, so that dashboards and alerts go on. */
export const PATRONI_METRICS: readonly SampledMetric[] = [
  gauge('patroni_version', 'Version of the agent, two digits a part', ({ version }) =>
    versionNumber(version),
  ),
  gauge('patroni_postgres_running', '1 if Postgres is running', ({ status }) =>
    bit(status.state === 'running'),
  ),
  gauge('patroni_postmaster_start_time', 'Epoch seconds since Postgres runs, 0 if unknown', (s) =>
    epochSeconds(facts(s)?.postmasterStartedAt),
  ),
  gauge(
    'patroni_postgres_timeline',
    'Timeline of Postgres, 0 if unknown',
    (s) => facts(s)?.timeline ?? 0,
  ),
  gauge('patroni_primary', '1 if this member is the leader', ({ status }) =>
    bit(status.role === 'primary' && status.holdsLease),
  ),
  gauge('patroni_standby_leader', '1 if this member leads a standby cluster', ({ status }) =>
    bit(status.role === 'standby_leader'),
  ),
  gauge('patroni_replica', '1 if this member is a standby', ({ status }) =>
    bit(status.role === 'replica'),
  ),
  gauge('patroni_sync_standby', '1 if this member is a synchronous standby', (sample) =>
    bit(standingOfStandby(sample) === 'sync'),
  ),
  gauge('patroni_quorum_standby', '1 if this member is a standby of the commit quorum', (sample) =>
    bit(standingOfStandby(sample) === 'quorum'),
  ),
  position('patroni_xlog_location', 'Flushed bytes of WAL on the primary, 0 elsewhere', (server) =>
    server.inRecovery ? undefined : server.flushLsn,
  ),
  position(
    'patroni_xlog_received_location',
    'Received bytes of WAL on a standby, 0 elsewhere',
    (server) => (server.inRecovery ? server.receivedLsn : undefined),
  ),
  position(
    'patroni_xlog_replayed_location',
    'Replayed bytes of WAL on a standby, 0 elsewhere',
    (server) => (server.inRecovery ? server.replayedLsn : undefined),
  ),
  gauge('patroni_xlog_replayed_timestamp', 'Epoch seconds of the last replayed commit', (s) =>
    facts(s)?.inRecovery === true ? (facts(s)?.replayedAt ?? 0) / 1000 : 0,
  ),
  gauge('patroni_xlog_paused', '1 if replay is paused', (s) =>
    bit(facts(s)?.replayPaused === true),
  ),
  gauge('patroni_postgres_streaming', '1 if Postgres is streaming', ({ status }) =>
    bit(status.state === 'running' && status.replicationState === 'streaming'),
  ),
  gauge('patroni_postgres_in_archive_recovery', '1 if replicating from archive', ({ status }) =>
    bit(status.state === 'running' && status.replicationState === 'in archive recovery'),
  ),
  gauge(
    'patroni_postgres_server_version',
    'Version of Postgres, 150020 for 15.20, 0 unknown',
    (s) => facts(s)?.serverVersionNumber ?? 0,
  ),
  gauge('patroni_cluster_unlocked', '1 if no valid leader is known', ({ status }) =>
    bit(status.clusterUnlocked),
  ),
  gauge('patroni_failsafe_mode_is_active', '1 if members vouch for the leader now', ({ status }) =>
    bit(status.failsafeActive),
  ),
  gauge(
    'pgbaton_commit_brake',
    'While the lease is not renewed, 1: commits wait, 2: Postgres stands still; 0: neither',
    ({ status }) => ['off', 'held', 'frozen'].indexOf(status.commitBrake),
  ),
  gauge('patroni_failsafe_mode_enabled', '1 if failsafe_mode is on', ({ settings }) =>
    bit(settings.policy.failsafe),
  ),
  gauge('patroni_failsafe_member', '1 if this member is on the failsafe list', (sample) => {
    const listed = sample.record === undefined ? undefined : valueOf(sample.record.failsafe);
    return bit(listed !== undefined && Object.hasOwn(listed, sample.settings.member.name));
  }),
  gauge('patroni_dcs_last_seen', 'Epoch seconds of the last good answer of Consul', ({ status }) =>
    Math.trunc((status.storeLastSeenAt ?? 0) / 1000),
  ),
  gauge('patroni_pending_restart', '1 if Postgres waits for a restart', ({ status }) =>
    bit(status.pendingRestart !== undefined),
  ),
  gauge('patroni_is_paused', '1 if automatic failover is paused', ({ status }) =>
    bit(status.paused),
  ),
  gauge(
    'patroni_postgres_state',
    `State of Postgres. Values: ${STATE_HELP}`,
    ({ status }) => STATE_NUMBERS[status.state],
  ),
  gauge('patroni_failover_priority', 'Tag failover_priority', ({ settings }) =>
    settings.member.tags.nofailover ? 0 : settings.member.tags.failoverPriority,
  ),
];

/** Bytes behind the published position of the primary, for every member that says where it is. */
function memberLags({ record }: Sample): readonly Point[] {
  const optime = record === undefined ? undefined : valueOf(record.status)?.optime;
  if (record === undefined || optime === undefined) return [];
  return record.members.flatMap(({ key }) =>
    key.replayLsn === undefined
      ? []
      : [{ value: Number(lagBytes(optime, key.replayLsn)), labels: { member: key.name } }],
  );
}

/** WAL that each slot holds back on this server. */
function slotLags(sample: Sample): readonly Point[] {
  const server = facts(sample);
  const end = server?.inRecovery === true ? server.replayedLsn : server?.flushLsn;
  if (server === undefined || end === undefined) return [];
  return server.slots.flatMap((slot) =>
    slot.restartLsn === undefined
      ? []
      : [{ value: Number(lagBytes(end, slot.restartLsn)), labels: { slot: slot.name } }],
  );
}

const GUARDIAN_STATES = ['absent', 'idle', 'armed'] as const;
const WATCHDOG_STATES = ['off', 'unknown', 'ready', 'open', 'unusable'] as const;

export const OWN_GAUGES: readonly SampledMetric[] = [
  gauge('pgbaton_holds_lease', '1 while this member holds a valid lease', ({ status }) =>
    bit(status.holdsLease),
  ),
  gauge('pgbaton_accepts_writes', '1 while Postgres accepts writes under the lease', ({ status }) =>
    bit(status.acceptsWrites),
  ),
  gauge(
    'pgbaton_lease_left_seconds',
    'Time until the lease ends, 0 without one',
    ({ status }) => Math.max(0, status.leaseLeftMillis ?? 0) / 1000,
  ),
  gauge(
    'pgbaton_ttl_seconds',
    'Length of a lease in force, `ttl`',
    ({ settings }) => settings.policy.timing.ttlMillis / 1000,
  ),
  gauge(
    'pgbaton_generation',
    'Number of the current leadership',
    ({ status }) => status.generation?.n,
  ),
  gauge('pgbaton_store_seen_seconds', 'Age of the last good answer of Consul', ({ status }) =>
    status.storeSeenMillis === undefined ? undefined : status.storeSeenMillis / 1000,
  ),
  gauge('pgbaton_postgres_seen_seconds', 'Age of the last answer of Postgres', ({ status }) =>
    status.server === undefined ? undefined : status.server.ageMillis / 1000,
  ),
  gauge(
    'pgbaton_synchronous_standbys',
    'Standbys that answer for acknowledged commits',
    (sample) => (sample.record === undefined ? undefined : listedStandbys(syncKey(sample)).length),
  ),
  gauge(
    'pgbaton_synchronous_quorum',
    'Votes beside its own that a listed standby needs to be promoted without loss',
    (sample) => (sample.record === undefined ? undefined : (syncKey(sample)?.quorum ?? 0)),
  ),
  gauge(
    'pgbaton_synchronous_copies',
    'Standbys that have each acknowledged commit, 0: the leader alone',
    (sample) => (sample.record === undefined ? undefined : guaranteedCopies(syncKey(sample))),
  ),
  gauge(
    'pgbaton_synchronous_copies_wanted',
    'synchronous_node_count while synchronous_mode is on or quorum, else 0',
    ({ settings: { policy } }) =>
      policy.synchronous.mode === 'off' ? 0 : policy.synchronous.nodeCount,
  ),
  labelled('pgbaton_guardian', '1 for the state of the guardian', ['state'], ({ status }) =>
    GUARDIAN_STATES.map((state) => ({
      value: bit(status.guardian === state),
      labels: { state },
    })),
  ),
  labelled('pgbaton_watchdog', '1 for the state of the watchdog device', ['state'], ({ status }) =>
    WATCHDOG_STATES.map((state) => ({
      value: bit(status.watchdog.state === state),
      labels: { state },
    })),
  ),
  gauge(
    'pgbaton_disk_free_bytes',
    'Free where the data directory is, as of the last look',
    ({ status }) => status.diskFreeBytes,
  ),
  labelled('pgbaton_member_lag_bytes', 'Replay lag of each member', ['member'], memberLags),
  labelled('pgbaton_slot_lag_bytes', 'WAL held back by each slot here', ['slot'], slotLags),
  gauge(
    'pgbaton_event_loop_delay_seconds',
    'Mean delay of the event loop of the agent since the last scrape',
    (sample) => sample.eventLoopDelaySeconds.mean,
  ),
  gauge(
    'pgbaton_event_loop_delay_max_seconds',
    'Longest delay of the event loop of the agent since the last scrape',
    (sample) => sample.eventLoopDelaySeconds.max,
  ),
  ...ACTIVITY_GAUGES,
];
