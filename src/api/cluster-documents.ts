import type { AgentFacade } from '../agent/facade.ts';
import { valueOf, type ClusterRecord, type MemberKey, type SyncKey } from '../core/cluster.ts';
import { formatLsn, lagBytes, maxLsn, type Lsn } from '../core/lsn.ts';
import type { SynchronousPolicy } from '../core/settings.ts';
import { standingOf, type Standing } from '../core/synchronous-set.ts';
import type { Millis } from '../core/time.ts';
import type { ClusterRole } from '../wire/rest/cluster.ts';
import type { JsonWritable } from '../wire/rest/json-text.ts';

type Members = Readonly<Record<string, JsonWritable | undefined>>;

/** What was read, by whom and how long ago. */
export interface Reading {
  readonly record: ClusterRecord;
  readonly ageMillis: Millis;
}

/**
 * Who leads, for people. The key `leader` vanishes with its session while the lease goes on; a
 * holder that answers itself knows better.
 */
function leaderName(agent: AgentFacade, record: ClusterRecord): string | undefined {
  const named = valueOf(record.leader)?.member;
  if (named !== undefined) return named;
  return agent.status().holdsLease ? agent.settings().member.name : undefined;
}

function hostAndPort(connUrl: string): Members {
  try {
    const { hostname, port } = new URL(connUrl);
    return {
      host: hostname === '' ? undefined : hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? undefined : Number(port),
    };
  } catch {
    return {};
  }
}

function position(prefix: string, own: Lsn | undefined, leader: Lsn | undefined): Members {
  const known = own !== undefined && leader !== undefined;
  return {
    [`${prefix}lsn`]: own === undefined ? 'unknown' : formatLsn(own),
    [`${prefix}lag`]: known ? lagBytes(leader, own) : 'unknown',
  };
}

function newest(member: MemberKey): Lsn | undefined {
  const { receiveLsn, replayLsn, xlogLocation } = member;
  if (receiveLsn === undefined || replayLsn === undefined) {
    return receiveLsn ?? replayLsn ?? xlogLocation;
  }
  return maxLsn(receiveLsn, replayLsn);
}

const ROLE_OF_STANDING: Readonly<Record<Standing, ClusterRole>> = {
  sync: 'sync_standby',
  quorum: 'quorum_standby',
  async: 'replica',
};

/** What the roles of all members follow from. */
interface Roles {
  readonly leader: string | undefined;
  readonly sync: SyncKey | undefined;
  readonly mode: SynchronousPolicy['mode'];
}

function roleOf(member: MemberKey, { leader, sync, mode }: Roles): ClusterRole {
  if (member.name !== leader) return ROLE_OF_STANDING[standingOf(member.name, sync, mode)];
  return member.role === 'standby_leader' ? 'standby_leader' : 'leader';
}

function memberDocument(member: MemberKey, roles: Roles, optime: Lsn | undefined): JsonWritable {
  const role = roleOf(member, roles);
  const leads = role === 'leader';
  return {
    name: member.name,
    role,
    state: (leads ? undefined : member.replicationState) ?? member.state,
    api_url: member.apiUrl,
    ...hostAndPort(member.connUrl),
    timeline: member.timeline,
    pending_restart: member.pendingRestart === true ? true : undefined,
    pending_restart_reason: member.pendingRestartReason,
    tags: member.tags,
    ...(member.name === roles.leader
      ? {}
      : {
          ...position('receive_', member.receiveLsn, optime),
          ...position('replay_', member.replayLsn, optime),
          ...position('', newest(member), optime),
        }),
  };
}

/** `GET /cluster`. */
export function clusterDocument(agent: AgentFacade, reading: Reading): JsonWritable {
  const { record, ageMillis } = reading;
  const { member: self, policy } = agent.settings();
  const roles: Roles = {
    leader: leaderName(agent, record),
    sync: valueOf(record.sync),
    mode: policy.synchronous.mode,
  };
  const optime = valueOf(record.status)?.optime;
  const request = valueOf(record.failover);
  const systemIdentifier = valueOf(record.initialize);
  const byName = (a: MemberKey, b: MemberKey): number => (a.name < b.name ? -1 : 1);
  return {
    members: record.members
      .map((member) => member.key)
      .toSorted(byName)
      .map((member) => memberDocument(member, roles, optime)),
    scope: self.scope,
    pause: valueOf(record.config)?.['pause'] === true ? true : undefined,
    scheduled_switchover:
      request?.scheduledAt === undefined
        ? undefined
        : { at: request.scheduledAt, from: request.leader, to: request.candidate },
    pgbaton: {
      age_ms: ageMillis,
      answered_by: self.name,
      system_identifier: systemIdentifier === '' ? undefined : systemIdentifier,
      generation: valueOf(record.generation)?.n,
    },
  };
}

/** `GET /history`: rows of three to five columns, as far as each is known. */
export function historyDocument(record: ClusterRecord): JsonWritable {
  return (valueOf(record.history) ?? []).map((entry) => {
    const row: JsonWritable[] = [entry.timeline, entry.lsn, entry.reason];
    if (entry.timestamp === undefined) return row;
    row.push(entry.timestamp);
    return entry.leader === undefined ? row : [...row, entry.leader];
  });
}
