import type { ClusterRecord } from './cluster.ts';
import { indexOf, valueOf } from './cluster.ts';
import { waitMillis } from './lease.ts';
import { plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * A follower's side of the lease: since when the record has not moved, on the follower's own clock,
 * counted from the receipt of the first answer that showed it. Kept per process, never on disk.
 */
export interface Observation {
  readonly generationIndex: number;
  readonly leaseIndex: number;
  /** Of key `leader`, where no generation says who leads: a member of Patroni's may. */
  readonly leaderIndex: number;
  readonly seenAt: Instant;
  /** The largest ttl ever read: what an unreadable lease is waited for. */
  readonly largestTtlMillis: Millis;
  /** When a release of this very record was first read. */
  readonly releasedAt: Instant | undefined;
}

export function observeLease(
  before: Observation | undefined,
  record: ClusterRecord,
  receivedAt: Instant,
  configuredTtlMillis: Millis,
): Observation {
  const generationIndex = indexOf(record.generation);
  const leaseIndex = indexOf(record.lease);
  const leaderIndex = generationIndex === 0 ? indexOf(record.leader) : 0;
  const lease = valueOf(record.lease);
  const largestTtlMillis = Math.max(
    before?.largestTtlMillis ?? 0,
    lease?.ttlMillis ?? 0,
    configuredTtlMillis,
  );
  const moved =
    before === undefined ||
    before.generationIndex !== generationIndex ||
    before.leaseIndex !== leaseIndex ||
    before.leaderIndex !== leaderIndex;
  const seenAt = moved ? receivedAt : before.seenAt;
  const releasedAt =
    lease?.released === undefined ? undefined : moved ? receivedAt : before.releasedAt;
  return { generationIndex, leaseIndex, leaderIndex, seenAt, largestTtlMillis, releasedAt };
}

/** When the observed lease is over on its holder's clock, whatever happened to the holder. */
export function leaseOverAt(
  observation: Observation,
  record: ClusterRecord,
  amnesia: boolean,
): Instant {
  const lease = valueOf(record.lease);
  // What a store shows that has lost the newest generation says nothing about the lease that runs.
  const readable = lease !== undefined && !amnesia;
  const ttlMillis = readable ? lease.ttlMillis : observation.largestTtlMillis;
  return plus(observation.seenAt, waitMillis(ttlMillis));
}
