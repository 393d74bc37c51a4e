import { findMember, valueOf } from './cluster.ts';
import type { ClusterRecord, Generation, Member } from './cluster.ts';
import { isValid } from './lease.ts';
import type { Lsn } from './lsn.ts';
import { maxLsn } from './lsn.ts';
import { leaseOverAt } from './observation.ts';
import type { ControlData, ServerFacts, Upstream } from './postgres.ts';
import { slotNameFor } from './slots.ts';
import type { Instant } from './time.ts';
import type { Target } from './action.ts';
import type { View } from './view.ts';

/** Questions that several rules ask of a View. Each says what unknown means. */

export const record = (view: View): ClusterRecord | undefined => view.cluster?.value;

export const holdsLease = (view: View): boolean =>
  view.held !== undefined && isValid(view.held, view.now);

/** What the server last said, if it is about the postmaster that runs now. Its age is the caller's concern. */
export function server(view: View): ServerFacts | undefined {
  if (view.postmaster.kind !== 'up' || view.probe === undefined) return undefined;
  if (view.probe.askedAt < view.postmaster.startedAt) return undefined;
  return view.probe.value.kind === 'answered' ? view.probe.value.facts : undefined;
}

export type Role = 'down' | 'primary' | 'standby' | 'unanswered' | 'foreign' | 'unknown';

/** `unanswered`: a postmaster runs, and has not said (lately) what it is. */
export function role(view: View): Role {
  switch (view.postmaster.kind) {
    case 'down':
      return 'down';
    case 'foreign':
      return 'foreign';
    case 'unknown':
      return 'unknown';
    case 'up': {
      const facts = server(view);
      if (facts === undefined) return 'unanswered';
      return facts.inRecovery ? 'standby' : 'primary';
    }
  }
}

export function control(view: View): ControlData | undefined {
  const directory = view.directory?.value;
  return directory?.kind === 'cluster' ? directory.control : undefined;
}

/** How far this member's log reaches: received or replayed on a standby, flushed on a primary. */
export function ownLsn(facts: ServerFacts): Lsn | undefined {
  if (!facts.inRecovery) return facts.flushLsn;
  if (facts.receivedLsn === undefined) return facts.replayedLsn;
  if (facts.replayedLsn === undefined) return facts.receivedLsn;
  return maxLsn(facts.receivedLsn, facts.replayedLsn);
}

export interface Leader {
  readonly name: string;
  readonly generation: Generation;
  readonly member: Member | undefined;
  /** It has promoted under this generation and says that it is the primary. */
  readonly serves: boolean;
}

/** Who was given the lease last, unless released. Whether the lease still runs is another question. */
export function leader(view: View): Leader | undefined {
  const cluster = record(view);
  if (cluster === undefined) return undefined;
  const generation = valueOf(cluster.generation);
  const lease = valueOf(cluster.lease);
  if (generation === undefined || lease?.released !== undefined) return undefined;
  const member = findMember(cluster, generation.holder);
  return {
    name: generation.holder,
    generation,
    member,
    serves: generation.timeline > 0 && member?.key.role === 'primary',
  };
}

/** The store shows a lower generation than this host has seen: it was wiped or restored. */
export function hasAmnesia(view: View): boolean {
  const cluster = record(view);
  return cluster !== undefined && hasLostGenerations(view, cluster);
}

/** The same, of one record and without the rest of a View. */
export const hasLostGenerations = (
  { host }: Pick<View, 'host'>,
  { generation }: ClusterRecord,
): boolean => (valueOf(generation)?.n ?? 0) < host.floor.n;

export const AMNESIA = 'Consul shows an older generation than this host has seen';

/** When the lease is over on its holder's clock too, unless the record moves before; undefined: none is known. */
export function leaseEndsAt(view: View): Instant | undefined {
  const cluster = record(view);
  if (cluster === undefined || view.observation === undefined) return undefined;
  return leaseOverAt(view.observation, cluster, hasAmnesia(view));
}

/** The record has not moved for so long that its lease is over on its holder's clock too. */
export function leaseIsOver(view: View): boolean {
  const end = leaseEndsAt(view);
  return end !== undefined && view.now >= end;
}

/** Over, or given away by its holder. */
export function leaseIsFree(view: View): boolean {
  const cluster = record(view);
  const lease = cluster === undefined ? undefined : valueOf(cluster.lease);
  return leaseIsOver(view) || lease?.released !== undefined;
}

export type LeaderToFollow = Leader & { readonly member: Member };

/** One that is known, serves under a lease that may run, and is not this member. */
export function leaderToFollow(view: View): LeaderToFollow | undefined {
  const current = leader(view);
  if (holdsLease(view) || hasAmnesia(view) || leaseIsOver(view)) return undefined;
  if (current?.member === undefined || !current.serves) return undefined;
  return current.name === view.self ? undefined : { ...current, member: current.member };
}

/** Host and port of a member's Postgres, out of its `conn_url`. */
export function upstreamOf(member: Member): Upstream | undefined {
  const match = /^postgres(?:ql)?:\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/?]+)(?::(\d+))?/.exec(
    member.key.connUrl,
  );
  if (match === null) return undefined;
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  return { name: member.key.name, host, port: Number(match[2] ?? '5432') };
}

export function targetOf(view: View, upstream: Upstream | undefined): Target {
  const slotName =
    upstream !== undefined && view.settings.policy.useSlots ? slotNameFor(view.self) : undefined;
  return { upstream, slotName };
}

export const describeTarget = (target: Target): string =>
  target.upstream === undefined
    ? 'nobody'
    : `${target.upstream.name}@${target.upstream.host}:${target.upstream.port}/${target.slotName ?? ''}`;

/** System identifier that the cluster is known by; undefined while it is being bootstrapped or unknown. */
export function clusterIdentifier(view: View): string | undefined {
  const cluster = record(view);
  const initialize = cluster === undefined ? undefined : valueOf(cluster.initialize);
  return initialize === undefined || initialize === '' ? undefined : initialize;
}
