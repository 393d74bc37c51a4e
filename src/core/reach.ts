import { valueOf } from './cluster.ts';
import type { ClusterRecord, Member } from './cluster.ts';
import { hasLostGenerations } from './facts.ts';
import type { FailsafeList } from './failsafe.ts';
import { DRIFT, waitMillis } from './lease.ts';
import type { BeatTerms } from './lease.ts';
import { leaseOverAt } from './observation.ts';
import type { Observation } from './observation.ts';
import type { Policy } from './settings.ts';
import { later, plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { Canvass, View } from './view.ts';

/**
 * The reach of a lease (P17). While Consul elects a leader, and the host that carried the last one is
 * gone with a member on it, not all can promise to hold back, but most can. Their promises stretch the
 * lease up to its reach, for whoever has not promised takes over before that only when so many others
 * are free of promises that the rest are no majority.
 */

/** Longer than Consul's servers take to elect a leader with their default timing, and to be reached. */
const REACH_MILLIS: Millis = 15_000;

/** Where members promise nothing, no lease reaches beyond its ttl. */
const reachMillis = (ttlMillis: Millis, failsafe: boolean): Millis =>
  failsafe ? Math.max(ttlMillis, REACH_MILLIS) : ttlMillis;

/**
 * What the next beat is to say. The lease reaches further than its ttl only while the loss of its
 * holder alone makes nobody wait for that.
 */
export const beatTerms = (
  { timing, failsafe }: Policy,
  given: { readonly paused: boolean; readonly manyPresent: boolean },
): BeatTerms => ({
  ttlMillis: timing.ttlMillis,
  reachMillis: reachMillis(timing.ttlMillis, failsafe && given.manyPresent),
  paused: given.paused,
});

/**
 * Without the holder, so many listed members are present that they can bear a takeover out at once; and
 * all of them know of a reach.
 */
export function manyPresent(
  list: FailsafeList | undefined,
  members: readonly Member[],
  holder: string,
): boolean {
  const listed = Object.keys(list ?? {});
  const present = members.filter(({ key }) => key.name !== holder && listed.includes(key.name));
  const isKnown = present.every(({ key }) => key.honoursReach === true);
  return listed.length > 0 && 2 * present.length >= listed.length && isKnown;
}

/** From when on a follower may take over without knowing that the others are free of promises. */
export function mayGoAloneAt(
  view: WhatIsKnown & Pick<View, 'promised'>,
  observation: Observation,
  record: ClusterRecord,
): Instant {
  const reach = reachOfRecord(observation, record, showsThePast(view, record));
  const observed = plus(observation.seenAt, waitMillis(reach));
  const over = later(leaseOverAt(observation, record, hasLostGenerations(view, record)), observed);
  return view.promised === undefined ? over : later(over, view.promised.aloneUntil);
}

/** Whatever is configured now: the lease that runs may have been renewed by other settings. */
function reachOfRecord(
  { overtaken, largestTtlMillis }: Observation,
  record: ClusterRecord,
  past: boolean,
): Millis {
  const lease = valueOf(record.lease);
  // Patroni, or nobody yet, stretches no lease.
  if (overtaken || (valueOf(record.generation) === undefined && !past)) return 0;
  if (lease === undefined || past) return reachMillis(largestTtlMillis, true);
  return lease.reachMillis ?? 0;
}

type WhatIsKnown = Pick<View, 'host' | 'newestBeat'>;

/** The store was restored, if only to an older beat: neither the reach nor the list in it need be the last. */
function showsThePast(known: WhatIsKnown, record: ClusterRecord): boolean {
  const lease = valueOf(record.lease);
  const { newestBeat } = known;
  const isOlder = newestBeat?.id === lease?.id && (newestBeat?.beat ?? 0) > (lease?.beat ?? 0);
  return hasLostGenerations(known, record) || isOlder;
}

/**
 * So many members were free of promises at one moment, at which the lease was over otherwise, that the
 * rest are no majority: nothing carried it then, and a lapsed lease is not revived. The moment is that
 * at which the canvass began: who answered says for how long it had been free.
 */
export function mostAreFree(view: View, canvass: Canvass, record: ClusterRecord): boolean {
  if (canvass.finishedAt === undefined || showsThePast(view, record)) return false;
  const listed = valueOf(record.failsafe) ?? {};
  const holder = valueOf(record.generation)?.holder;
  const tookMillis = since(canvass.askedAt, canvass.finishedAt) * DRIFT;
  const free = canvass.opinions
    .filter(({ report }) => (report?.promiseFreeMillis ?? -1) >= tookMillis)
    .map(({ name }) => name);
  const self = (view.promised?.until ?? -Infinity) <= canvass.askedAt ? [view.self] : [];
  const members = Object.keys(listed);
  const counted = [...free, ...self].filter((name) => name !== holder && members.includes(name));
  return members.length > 0 && 2 * new Set(counted).size >= members.length;
}

/** For how long no promise has bound this member, that it made or has forgotten; undefined: one may. */
export function promiseFreeMillis(view: View): Millis | undefined {
  const record = view.cluster?.value;
  if (view.observation === undefined || record === undefined || showsThePast(view, record))
    return undefined;
  const forgotten = plus(view.startedAt, waitMillis(view.observation.largestTtlMillis));
  const freeSince = later(forgotten, view.promised?.until ?? forgotten);
  return view.now < freeSince ? undefined : since(freeSince, view.now);
}
