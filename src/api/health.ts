import type { MemberStatus } from '../agent/facade.ts';
import type { JsonObject } from '../core/json.ts';
import { lagBytes, maxLsn, type Lsn } from '../core/lsn.ts';
import type { Standing } from '../core/synchronous-set.ts';
import type { HealthCheck } from './endpoints.ts';
import { parseSizeBytes, tagsMatch } from './filters.ts';

/** All that a health check looks at, as of the request. */
export interface HealthFacts {
  readonly status: MemberStatus;
  readonly alive: boolean;
  readonly noloadbalance: boolean;
  /** What a standby here is to synchronous replication; unknown counts for no answer but 503. */
  readonly standing: Standing | 'unknown';
  readonly tags: JsonObject;
  readonly maximumLagBytes: number;
}

type Query = ReadonlyMap<string, string>;

/** Where the primary's log is, by the newest of what Consul and the WAL receiver say. */
function leaderPosition(status: MemberStatus): Lsn | undefined {
  const received = status.server?.facts.latestEndLsn;
  if (status.optime === undefined || received === undefined) return status.optime ?? received;
  return maxLsn(status.optime, received);
}

/** Unknown is not within: a bound that cannot be shown to hold does not. */
function within(status: MemberStatus, own: Lsn | undefined, limitBytes: bigint): boolean {
  const ahead = leaderPosition(status);
  return ahead !== undefined && own !== undefined && lagBytes(ahead, own) <= limitBytes;
}

const isStandbyLeader = ({ status }: HealthFacts): boolean =>
  status.holdsLease && status.role === 'standby_leader';

const isLeading = (facts: HealthFacts): boolean =>
  facts.status.acceptsWrites || isStandbyLeader(facts);

function isReplica({ status, noloadbalance }: HealthFacts, query: Query): boolean {
  if (status.role !== 'replica' || status.state !== 'running' || noloadbalance) return false;
  const wanted = query.get('replication_state');
  if (wanted !== undefined && wanted !== status.replicationState) return false;
  const limit = parseSizeBytes(query.get('lag') ?? '');
  return limit === undefined || within(status, status.server?.facts.replayedLsn, limit);
}

function isReady({ status, maximumLagBytes }: HealthFacts, query: Query): boolean {
  if (status.holdsLease) return true;
  if (status.state !== 'running' || status.replicationState !== 'streaming') return false;
  const facts = status.server?.facts;
  const own = query.get('mode') === 'write' ? facts?.receivedLsn : facts?.replayedLsn;
  const limit = parseSizeBytes(query.get('lag') ?? '') ?? BigInt(Math.trunc(maximumLagBytes));
  return within(status, own, limit);
}

function isReplicaThatIs(standing: Standing): (facts: HealthFacts, query: Query) => boolean {
  return (facts, query) => facts.standing === standing && isReplica(facts, query);
}

const CHECKS: Readonly<Record<HealthCheck, (facts: HealthFacts, query: Query) => boolean>> = {
  primary: ({ status }) => status.acceptsWrites,
  leader: ({ status }) => status.holdsLease,
  'standby-leader': isStandbyLeader,
  replica: isReplica,
  'read-only': (facts, query) => isLeading(facts) || isReplica(facts, query),
  sync: isReplicaThatIs('sync'),
  quorum: isReplicaThatIs('quorum'),
  'read-only-sync': (facts, query) => isLeading(facts) || isReplicaThatIs('sync')(facts, query),
  'read-only-quorum': (facts, query) => isLeading(facts) || isReplicaThatIs('quorum')(facts, query),
  async: isReplicaThatIs('async'),
  health: ({ status }) => status.state === 'running',
  liveness: ({ status, alive }) => status.paused || alive,
  readiness: isReady,
};

/** Checks that tell who leads, or about the process: tags do not change their answer. */
const IGNORE_TAGS: ReadonlySet<HealthCheck> = new Set([
  'primary',
  'leader',
  'standby-leader',
  'liveness',
  'readiness',
]);

/** Whether a check answers 200, by Patroni's contract; where that was unsafe, by the lease. */
export function isHealthy(check: HealthCheck, facts: HealthFacts, query: Query): boolean {
  if (!CHECKS[check](facts, query)) return false;
  return IGNORE_TAGS.has(check) || tagsMatch(query, facts.tags);
}
