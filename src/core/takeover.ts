import { findMember, valueOf } from './cluster.ts';
import type { ClusterRecord } from './cluster.ts';
import { betterPeer, listedPeer, ownEligibility, requestedPeer } from './candidates.ts';
import type { Eligibility } from './candidates.ts';
import { hasAmnesia, leaseIsOver, record } from './facts.ts';
import type { Memory } from './memory.ts';
import { objectionOf } from './objections.ts';
import { leaseOverAt } from './observation.ts';
import type { Observation } from './observation.ts';
import { pauseObstacle } from './pause.ts';
import { isBound } from './promise.ts';
import { mayGoAloneAt } from './reach.ts';
import { releasedBasis } from './released.ts';
import { syncStanding } from './sync-terms.ts';
import type { SyncStanding } from './sync-terms.ts';
import { votesAsked, votesShort } from './sync-votes.ts';
import { heardOf, lonely, stillLonely } from './lonely.ts';
import type { Basis, TakeoverBasis, TakeoverVerdict } from './takeover-verdict.ts';
import { plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { Canvass, PeerOpinion, View } from './view.ts';

/** A better candidate gets this long, once per observation. */
const DEFERENCE_MILLIS: Millis = 2000;
/** A full disk is tried again this long after it has refused. */
const UNSAVED_PAUSE_MILLIS: Millis = 1000;
/** Opinions older than this are asked for again. */
const CANVASS_FRESH_MILLIS: Millis = 1000;

/** Judges in the order of the protocol: who leads, is the lease over, am I fit, what do the others know. */
export function judgeTakeover(view: View, memory: Memory, forced: boolean): TakeoverVerdict {
  const cluster = record(view);
  if (cluster === undefined || view.observation === undefined) {
    return { kind: 'no', why: 'Consul has not been read yet' };
  }
  const obstacle = foreignLeader(view, cluster) ?? personalObstacle(view, memory, cluster, forced);
  if (obstacle !== undefined) return obstacle;
  const basis = takeoverBasis(view, cluster, forced);
  if (basis.kind !== 'free') return basis;
  const fitness = ownEligibility(view, forced);
  if (fitness.kind === 'ineligible') return { kind: 'no', why: fitness.why };
  const standing: SyncStanding = forced ? { kind: 'complete' } : syncStanding(view);
  if (standing.kind === 'barred') return { kind: 'no', why: standing.why };
  const n = Math.max(valueOf(cluster.generation)?.n ?? 0, view.host.floor.n) + 1;
  if (basis.trusted && !forced && standing.kind === 'complete')
    return { kind: 'go', basis: basis.basis, n, why: basis.why };
  return consult(view, memory, cluster, {
    basis: basis.basis,
    freeSince: basis.since,
    waitUntil: basis.until,
    n,
    fitness,
    forced,
    standing,
  });
}

/** A `leader` key of any other name than the generation's holder means that Patroni leads. */
function foreignLeader(view: View, cluster: ClusterRecord): TakeoverVerdict | undefined {
  const key = valueOf(cluster.leader);
  if (key === undefined || key.member === view.self) return undefined;
  if (key.member === valueOf(cluster.generation)?.holder) return undefined;
  return {
    kind: 'no',
    why: `key leader names ${key.member}, who holds no generation: Patroni leads`,
  };
}

function personalObstacle(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  forced: boolean,
): TakeoverVerdict | undefined {
  if (view.takeover !== undefined) {
    return { kind: 'wait', why: 'an own takeover is not settled yet', until: undefined };
  }
  const unready = unreadyToAsk(view);
  if (unready !== undefined) return unready;
  if (memory.abstain !== undefined && view.now < memory.abstain.until) {
    return {
      kind: 'wait',
      why: 'failed to promote and steps behind the others',
      until: memory.abstain.until,
    };
  }
  if (isBound(view.promised, cluster, view.now)) {
    const until = view.promised?.until;
    return {
      kind: 'wait',
      why: 'promised the leader to hold back while Consul does not answer it',
      until,
    };
  }
  const released = valueOf(cluster.lease)?.released;
  const unasked = released === undefined && !forced ? neverAsked(view, cluster) : undefined;
  if (unasked !== undefined) return { kind: 'no', why: unasked };
  if (excludedNow(view).includes(view.self)) {
    return {
      kind: 'wait',
      why: 'excluded by the last release, because it failed to promote',
      until: excludedUntil(view),
    };
  }
  return undefined;
}

/** What the last attempt found missing before the request was sent: it is looked at again in a moment. */
function unreadyToAsk({ now, hostUnsavedAt, storeSilentSince }: View): TakeoverVerdict | undefined {
  const unsavedUntil = hostUnsavedAt && plus(hostUnsavedAt, UNSAVED_PAUSE_MILLIS);
  if (unsavedUntil !== undefined && now < unsavedUntil) {
    const why = 'what this host must not forget could not be saved, so it could not promote either';
    return { kind: 'wait', why, until: unsavedUntil };
  }
  if (storeSilentSince !== undefined) {
    const why =
      'Consul does not answer: a request for the lease would be open for nobody knows how long';
    return { kind: 'wait', why, until: undefined };
  }
  return undefined;
}

/**
 * Only whom the leader asks for promises may take over: this very machine, and not another one that
 * has its name.
 */
function neverAsked(view: View, cluster: ClusterRecord): string | undefined {
  const listed = valueOf(cluster.failsafe) ?? {};
  if (Object.keys(listed).length === 0) return anotherMachine(view, cluster);
  const address = listed[view.self];
  if (address === undefined)
    return 'not on the failsafe list: the leader may be alive without having asked this member';
  return address === view.settings.member.apiUrl
    ? undefined
    : `the failsafe list has ${address} under its name: the leader may be alive and have asked that one; ` +
        `"pgbaton failover --candidate ${view.self} --force", once it is known to be dead`;
}

/** The exclusion is an order of precedence, not a ban: alone, even the excluded may try again. */
const excludedUntil = (view: View): Instant =>
  plus(view.observation?.seenAt ?? view.now, 3 * view.settings.policy.timing.ttlMillis);

/** Without that list the key of a member says which machine is meant by its name, while it is there. */
function anotherMachine(view: View, cluster: ClusterRecord): string | undefined {
  const address = findMember(cluster, view.self)?.key.apiUrl;
  if (address === undefined || address === view.settings.member.apiUrl) return undefined;
  return `key members/${view.self} is that of another machine, ${address}: what the cluster knows of ${view.self} may be about that one`;
}

function excludedNow(view: View): readonly string[] {
  const cluster = record(view);
  const released = cluster === undefined ? undefined : valueOf(cluster.lease)?.released;
  return released === undefined || view.now >= excludedUntil(view) ? [] : released.exclude;
}

/** On what ground the lease is free. `trusted`: the former holder itself named this member. */
function takeoverBasis(view: View, cluster: ClusterRecord, forced: boolean): Basis {
  const observation = view.observation;
  if (observation === undefined) {
    return { kind: 'wait', why: 'nothing observed yet', until: undefined };
  }
  // A store that lost the past may show an old release, and an old lease of our own: neither counts.
  // Nor do they once a member of Patroni's has led after them.
  const amnesia = hasAmnesia(view);
  const outdated = amnesia || observation.overtaken;
  const released = outdated ? undefined : releasedBasis(view, cluster, observation, forced);
  if (released !== undefined) return released;
  if (!outdated && isOwn(view.lapsedId, cluster)) {
    const why = 'the lapsed lease was its own';
    return { kind: 'free', basis: 'own-lapsed', since: observation.seenAt, trusted: false, why };
  }
  const over = leaseOverAt(observation, cluster, amnesia);
  if (!outdated && !leaseIsOver(view) && isOwn(view.wonLateId, cluster)) {
    const why = 'the lease was its own, and had ended before it was given';
    const basis = 'own-lapsed';
    return { kind: 'free', basis, since: observation.seenAt, trusted: false, why, until: over };
  }
  return overBasis(view, cluster, observation, forced);
}

/** It has stood for its whole time, and is of a kind that time ends. */
function overBasis(
  view: View,
  cluster: ClusterRecord,
  observation: Observation,
  forced: boolean,
): Basis {
  const generation = valueOf(cluster.generation);
  const holder = generation?.holder;
  const over = leaseOverAt(observation, cluster, hasAmnesia(view));
  const paused = pauseObstacle(view, forced);
  if (paused !== undefined) return { kind: 'no', why: paused };
  if (!leaseIsOver(view)) {
    return {
      kind: 'wait',
      why: `the lease of ${holder ?? 'nobody known'} may still run`,
      until: over,
    };
  }
  const silentMillis = Math.round(since(observation.seenAt, view.now));
  return {
    kind: 'free',
    basis: generation === undefined ? 'empty' : 'lease-over',
    since: over,
    trusted: false,
    until: mayGoAloneAt(view, observation, cluster),
    why: `no heartbeat of ${holder ?? 'anyone'} for ${silentMillis} ms`,
  };
}

function isOwn(id: string | undefined, cluster: ClusterRecord): boolean {
  if (id === undefined || valueOf(cluster.generation)?.id !== id) return false;
  return valueOf(cluster.lease)?.id === id || cluster.lease.kind === 'absent';
}

interface Ground {
  readonly basis: TakeoverBasis;
  readonly freeSince: Instant;
  /** Before that only if most members bear it out. */
  readonly waitUntil: Instant | undefined;
  readonly n: number;
  readonly fitness: Eligibility & { readonly kind: 'eligible' };
  readonly forced: boolean;
  readonly standing: Exclude<SyncStanding, { kind: 'barred' }>;
}

/** Positions are final only when asked for after the lease was over; so are objections. */
function consult(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  ground: Ground,
): TakeoverVerdict {
  const canvass = view.canvass;
  if (canvass === undefined || !isFresh(view, canvass, ground.freeSince)) {
    return (
      votesAsked(view, ground, true) ?? {
        kind: 'canvass',
        why: 'asks the other members before taking over',
      }
    );
  }
  if (canvass.finishedAt === undefined) {
    return (
      votesAsked(view, ground, false) ??
      stillLonely(view, canvass, ground) ?? {
        kind: 'wait',
        why: 'waits for the answers of the other members',
        until: undefined,
      }
    );
  }
  const objection = objectionOf(view, canvass, cluster, ground.n);
  if (objection !== undefined) return objection;
  const first = ground.forced ? undefined : whoGoesFirst(view, memory, canvass, ground);
  if (first !== undefined) return first;
  const short = votesShort(view, canvass, ground) ?? lonely(view, canvass, cluster, ground);
  if (short !== undefined) return short;
  const listed = ground.forced ? undefined : listedGoesFirst(view, memory, canvass, ground);
  if (listed !== undefined) return listed;
  return {
    kind: 'go',
    basis: ground.basis,
    n: ground.n,
    why: `${ground.fitness.why}; best of the ${heardOf(canvass) + 1} members that answered${acceptedLoss(view, ground)}`,
  };
}

/** What an operator's failover may cost, said where it is decided. */
function acceptedLoss(view: View, { forced }: Ground): string {
  if (!forced || syncStanding(view).kind === 'complete') return '';
  return '; forced by an operator: synchronous commits that this member lacks are lost';
}

/** Somebody who is further, or may turn out to be, gets the first move: once, and not for long. */
function whoGoesFirst(
  view: View,
  memory: Memory,
  canvass: Canvass,
  ground: Ground,
): TakeoverVerdict | undefined {
  const own = { ...ground.fitness, priority: view.settings.member.tags.failoverPriority };
  const named = requestedPeer(record(view), own, canvass.opinions);
  if (named !== undefined)
    return defers(
      view,
      memory,
      named.name,
      `key failover names ${named.name}, which can take over`,
    );
  // Whom the release excludes does not take over, whatever it has: it is not waited for.
  const excluded = excludedNow(view);
  const asked = canvass.opinions.filter(({ name }) => !excluded.includes(name));
  const better = betterPeer(own, asked);
  const other = better ?? asked.find((opinion) => mayStillSpeak(opinion));
  if (other === undefined) return undefined;
  const why =
    better === undefined
      ? `Postgres of ${other.name} is starting and may be further`
      : `${other.name} is further and can take over`;
  return defers(view, memory, other.name, why);
}

function defers(view: View, memory: Memory, to: string, why: string): TakeoverVerdict | undefined {
  const observedAt = view.observation?.seenAt ?? view.now;
  const begun = memory.deferral?.observedAt === observedAt ? memory.deferral.since : view.now;
  const until = plus(begun, DEFERENCE_MILLIS);
  return view.now < until ? { kind: 'defer', to, why, until } : undefined;
}

/** That one goes first when this member has only its vote. */
function listedGoesFirst(
  view: View,
  memory: Memory,
  canvass: Canvass,
  { standing, fitness }: Ground,
): TakeoverVerdict | undefined {
  if (standing.kind !== 'needs-votes') return undefined;
  const { voters } = standing.terms.electorate;
  const listed = listedPeer(view.self, voters, fitness, canvass.opinions);
  const why = `${listed?.name ?? ''} is a synchronous standby and can take over`;
  return listed === undefined ? undefined : defers(view, memory, listed.name, why);
}

/** Its log position will be known in a moment. */
const mayStillSpeak = ({ report }: PeerOpinion): boolean =>
  report !== undefined && report.lsn === undefined && report.state === 'starting';

export const isFresh = (view: View, canvass: Canvass, freeSince: Instant): boolean =>
  canvass.askedAt >= freeSince &&
  since(canvass.finishedAt ?? canvass.askedAt, view.now) <= CANVASS_FRESH_MILLIS;
