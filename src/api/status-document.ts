import type { AgentFacade, MemberStatus } from '../agent/facade.ts';
import type { ServerFacts } from '../core/postgres.ts';
import { ownStanding, type Standing } from '../core/synchronous-set.ts';
import type { EpochMillis } from '../core/time.ts';
import type { JsonWritable } from '../wire/rest/json-text.ts';

type Members = Readonly<Record<string, JsonWritable | undefined>>;

/** `2026-01-31 12:00:00.123000+00:00`, as Python prints a time. */
function pythonTime(at: EpochMillis): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '000+00:00');
}

/** PostgreSQL abbreviates an offset of full hours, Python never does. */
const longOffset = (time: string): string => time.replace(/([+-]\d\d)$/, '$1:00');

function xlogOf(facts: ServerFacts): JsonWritable | undefined {
  if (!facts.inRecovery) {
    return facts.flushLsn === undefined ? undefined : { location: facts.flushLsn };
  }
  return {
    received_location: facts.receivedLsn ?? null,
    replayed_location: facts.replayedLsn ?? null,
    replayed_timestamp: facts.replayedAt === undefined ? null : pythonTime(facts.replayedAt),
    paused: facts.replayPaused,
  };
}

function serverMembers(facts: ServerFacts): Members {
  return {
    postmaster_start_time: longOffset(facts.postmasterStartedAt),
    server_version: facts.serverVersionNumber,
    xlog: xlogOf(facts),
    timeline: facts.timeline,
    replication:
      facts.replication.length === 0
        ? undefined
        : facts.replication.map((row) => ({
            usename: row.username,
            application_name: row.applicationName,
            client_addr: row.clientAddress ?? null,
            state: row.state,
            sync_state: row.syncState,
            sync_priority: row.syncPriority,
          })),
  };
}

/** Patroni's flags are there when they are true, and absent otherwise. */
const flag = (value: boolean): true | undefined => (value ? true : undefined);

/** What this member is to synchronous replication, from memory. */
export function standingHere(agent: AgentFacade): Standing | 'unknown' {
  const { member, policy } = agent.settings();
  const seen = agent.cluster();
  return ownStanding(
    member.name,
    policy.synchronous.mode,
    seen === undefined ? undefined : { sync: seen.record.sync, ageMillis: seen.ageMillis },
  );
}

function ownMembers(agent: AgentFacade, status: MemberStatus): Members {
  const { rule, why } = agent.explain();
  const { job } = status;
  return {
    incarnation: agent.incarnation(),
    holds_lease: status.holdsLease,
    accepts_writes: status.acceptsWrites,
    generation: status.generation ?? null,
    lease_left_ms: status.leaseLeftMillis ?? null,
    commit_brake: status.commitBrake,
    rule,
    why,
    guardian: status.guardian,
    watchdog: status.watchdog.state,
    postgres_seen_ms: status.server?.ageMillis ?? null,
    store_seen_ms: status.storeSeenMillis ?? null,
    job:
      job === undefined
        ? null
        : { kind: job.kind, for_ms: job.forMillis, progress: job.progress ?? null },
  };
}

/**
 * Body of `GET /patroni` and of every health check, from memory. What Postgres said is shown only
 * while it is running: others read a position as "it is alive".
 */
export function statusDocument(agent: AgentFacade, status: MemberStatus): JsonWritable {
  const { member } = agent.settings();
  const { tags } = member;
  const server = status.state === 'running' ? status.server : undefined;
  const standing = status.role === 'replica' ? standingHere(agent) : undefined;
  return {
    state: status.state,
    role: status.role,
    ...(server === undefined ? {} : serverMembers(server.facts)),
    sync_standby: flag(standing === 'sync'),
    quorum_standby: flag(standing === 'quorum'),
    replication_state: server === undefined ? undefined : status.replicationState,
    pause: flag(status.paused),
    cluster_unlocked: flag(status.clusterUnlocked),
    failsafe_mode_is_active: flag(status.failsafeActive),
    watchdog_failed: flag(status.watchdog.failed),
    dcs_last_seen:
      status.storeLastSeenAt === undefined ? undefined : Math.trunc(status.storeLastSeenAt / 1000),
    tags: Object.keys(tags.published).length === 0 ? undefined : tags.published,
    database_system_identifier: status.systemIdentifier,
    pending_restart: flag(status.pendingRestart !== undefined),
    pending_restart_reason: status.pendingRestart,
    patroni: { version: agent.version(), scope: member.scope, name: member.name },
    pgbaton: ownMembers(agent, status),
  };
}
