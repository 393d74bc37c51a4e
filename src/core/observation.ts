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
  /** Of key `leader` when it names another than the holder: a member of Patroni's leads, or led. */
  readonly leaderIndex: number;
  /** Such a key was seen beside this generation and lease: they no longer say who led last. */
  readonly overtaken: boolean;
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
  const leaderIndex = isStrangers(record) ? indexOf(record.leader) : 0;
  const lease = valueOf(record.lease);
  const largestTtlMillis = Math.max(
    before?.largestTtlMillis ?? 0,
    lease?.ttlMillis ?? 0,
    configuredTtlMillis,
  );
  const rewritten =
    before === undefined ||
    before.generationIndex !== generationIndex ||
    before.leaseIndex !== leaseIndex;
  const moved = rewritten || before.leaderIndex !== leaderIndex;
  const overtaken = leaderIndex > 0 || (!rewritten && before.overtaken);
  const seenAt = moved ? receivedAt : before.seenAt;
  const releasedAt =
    lease?.released === undefined ? undefined : moved ? receivedAt : before.releasedAt;
  return {
    generationIndex,
    leaseIndex,
    leaderIndex,
    overtaken,
    seenAt,
    largestTtlMillis,
    releasedAt,
  };
}

/** pgbaton writes key and generation at once: a key of any other name is Patroni's. */
const isStrangers = ({ leader, generation }: ClusterRecord): boolean =>
  leader.kind !== 'absent' && valueOf(leader)?.member !== valueOf(generation)?.holder;

/** When the observed lease is over on its holder's clock, whatever happened to the holder. */
export function leaseOverAt(
  observation: Observation,
  record: ClusterRecord,
  amnesia: boolean,
): Instant {
  const lease = valueOf(record.lease);
  // A store that has lost the newest generation says nothing about the lease that runs, nor does a
  // lease about the leadership of Patroni that came after it.
  const readable = lease !== undefined && !amnesia && !observation.overtaken;
  const ttlMillis = readable ? lease.ttlMillis : observation.largestTtlMillis;
  return plus(observation.seenAt, waitMillis(ttlMillis));
}
