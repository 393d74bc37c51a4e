import type { Lease, Release } from './cluster.ts';
import { valueOf, indexOf } from './cluster.ts';
import type { ClusterRecord } from './cluster.ts';
import type { Timing } from './settings.ts';
import { earlier, later, plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * The holder's side of the lease, as a pure machine. The rules that the obvious version gets wrong
 * are kept here: writes are a chain, the lease counts from the sending of what was acknowledged, a
 * shorter ttl binds from the send, a lapsed lease is over, a release is final (SPEC.md P1 to P3).
 */

/** Two clocks may differ in rate by 1 % (A2); whoever waits for a holder waits longer than the holder believes. */
export const DRIFT = 1.01;
export const MARGIN_MILLIS: Millis = 50;
/** The agent fences this much before the guardian does, so that the guardian is the exception. */
const AGENT_AHEAD_MILLIS: Millis = 250;
const GUARDIAN_AHEAD_MILLIS: Millis = 50;

/** How long a follower must see an unchanged record before the lease in it is over everywhere. */
export const waitMillis = (ttlMillis: Millis): Millis => ttlMillis * DRIFT + MARGIN_MILLIS;

interface SentBeat {
  readonly beat: number;
  readonly sentAt: Instant;
  readonly ttlMillis: Millis;
  /** Undefined: as long as its ttl. */
  readonly reachMillis?: Millis | undefined;
  readonly paused?: boolean;
}

/** What a beat says of the lease. */
export interface BeatTerms {
  readonly ttlMillis: Millis;
  readonly reachMillis?: Millis | undefined;
  readonly paused?: boolean;
}

const isPausing = ({ paused }: SentBeat): boolean => paused === true;
const reachOf = ({ reachMillis, ttlMillis }: SentBeat): Millis => reachMillis ?? ttlMillis;

export interface HeldLease {
  readonly id: string;
  readonly n: number;
  /** Valid before this, on the own clock, unless it is paused. */
  readonly end: Instant;
  /** Whatever is in the store, and whatever may still come to be, says paused: no time ends it (P15). */
  readonly paused: boolean;
  /** So says the newest beat that is known to be in the store. */
  readonly pauseConfirmed: boolean;
  readonly ttlInForceMillis: Millis;
  readonly ttlConfirmedMillis: Millis;
  /**
   * Nobody takes over alone before this long after the sending of the newest confirmed beat, whatever
   * record of it may be in the store; undefined: not known.
   */
  readonly reachMillis: Millis | undefined;
  readonly generationIndex: number;
  /** Undefined: must be read before the next write, so that no write leaves the chain. */
  readonly leaseIndex: number | undefined;
  readonly beat: number;
  readonly sent: readonly SentBeat[];
  /** The shortest ttl among attempts older than `sent` remembers, which may still commit. */
  readonly ttlForgottenMillis: Millis | undefined;
  /** One of those does not say paused, and may still end a pause. */
  readonly endOfPauseForgotten?: boolean | undefined;
  /** When this process won it; undefined: it was adopted. */
  readonly wonAt: Instant | undefined;
  /** When the newest confirmed beat was sent. */
  readonly confirmedAt: Instant | undefined;
  /** When this process was given it, or found it. */
  readonly begunAt: Instant;
  /** When that was sent by which this process last renewed it, beat or promises; undefined: it has not yet. */
  readonly renewedAt: Instant | undefined;
  /** The newest beat known to be in the store; an older one there means that it lost the past. */
  readonly confirmedBeat: number;
  /** An own beat of this incarnation has been confirmed: from now on another incarnation is a twin. */
  readonly vouched: boolean;
  /** Incarnation of the process that this one has adopted the lease from; it is dead. */
  readonly predecessor: string | undefined;
  /** Once set, this agent never acts under this lease again, whatever the answer. */
  readonly release: Release | undefined;
  /** It may not be released, for Postgres cannot be proved down, and it is not extended any more. */
  readonly lapses?: true;
  /** The store forgot or restored the past: beats do not extend until its members vouched. */
  readonly amnesia: boolean;
}

export function winLease(
  id: string,
  n: number,
  sentAt: Instant,
  ttlMillis: Millis,
  indexes: { readonly generation: number; readonly lease: number },
): HeldLease {
  return {
    id,
    n,
    end: plus(sentAt, ttlMillis),
    paused: false,
    pauseConfirmed: false,
    ttlInForceMillis: ttlMillis,
    ttlConfirmedMillis: ttlMillis,
    reachMillis: ttlMillis,
    generationIndex: indexes.generation,
    leaseIndex: indexes.lease,
    beat: 0,
    sent: [],
    ttlForgottenMillis: undefined,
    wonAt: sentAt,
    confirmedAt: sentAt,
    begunAt: sentAt,
    renewedAt: sentAt,
    confirmedBeat: 0,
    vouched: true,
    predecessor: undefined,
    release: undefined,
    amnesia: false,
  };
}

/** What else the process before this one has left on its host. */
export interface FoundPause {
  /** The guardian's deadline was lifted. */
  readonly paused: boolean;
  /** Of a beat that the store has had, as this host remembers; 0: of none. */
  readonly knownBeat: number;
}

/** A restarted agent continues the deadline that it finds on this host; it never starts a new one. */
export function adoptLease(
  id: string,
  n: number,
  end: Instant,
  ttlMillis: Millis,
  now: Instant,
  { paused, knownBeat }: FoundPause = { paused: false, knownBeat: 0 },
): HeldLease {
  return {
    id,
    n,
    end,
    paused,
    pauseConfirmed: paused,
    ttlInForceMillis: ttlMillis,
    ttlConfirmedMillis: ttlMillis,
    reachMillis: undefined,
    generationIndex: 0,
    leaseIndex: undefined,
    beat: 0,
    sent: [],
    ttlForgottenMillis: undefined,
    wonAt: undefined,
    confirmedAt: undefined,
    begunAt: now,
    renewedAt: undefined,
    confirmedBeat: knownBeat,
    vouched: false,
    predecessor: undefined,
    release: undefined,
    amnesia: false,
  };
}

export const isValid = (held: HeldLease, now: Instant): boolean =>
  !isOver(held, now) && held.release === undefined;

/** Its time has come. Of a paused lease it never does. */
export const isOver = (held: HeldLease, now: Instant): boolean => !held.paused && now >= held.end;

/** When the agent starts to fence, so that the fence has ended before the lease does. */
export const fenceAt = (held: HeldLease, timing: Timing): Instant =>
  plus(held.end, -(timing.fenceBudgetMillis + AGENT_AHEAD_MILLIS));

export const guardianFenceAt = (end: Instant, fenceBudgetMillis: Millis): Instant =>
  plus(end, -(fenceBudgetMillis + GUARDIAN_AHEAD_MILLIS));

const SENT_KEPT = 8;

function shortestTtl(known: Millis | undefined, attempts: readonly SentBeat[]): Millis | undefined {
  return attempts.reduce(
    (shortest, { ttlMillis }) => Math.min(shortest ?? ttlMillis, ttlMillis),
    known,
  );
}

/** Undefined, not known, is as good as none. */
const shorterReach = (known: Millis | undefined, other: Millis): Millis | undefined =>
  known === undefined ? undefined : Math.min(known, other);

/**
 * Prepares the next beat. The caller tells the guardian a shortened end before it sends, and so the
 * first end after a pause, which binds from the send like any shorter one.
 */
export function sendBeat(
  held: HeldLease,
  now: Instant,
  { ttlMillis, reachMillis = ttlMillis, paused = false }: BeatTerms,
  incarnation: string,
): { readonly held: HeldLease; readonly lease: Lease } {
  const beat = held.beat + 1;
  // Always: a longer beat of before may have been confirmed since a shorter one bound the lease.
  const bound = plus(now, ttlMillis);
  const end = held.paused && !paused ? bound : earlier(held.end, bound);
  const sent = [...held.sent, { beat, sentAt: now, ttlMillis, reachMillis, paused }];
  const forgotten = sent.slice(0, -SENT_KEPT);
  return {
    held: {
      ...held,
      beat,
      end,
      paused: held.paused && paused,
      ttlInForceMillis: ttlMillis,
      reachMillis: shorterReach(held.reachMillis, reachMillis),
      sent: sent.slice(-SENT_KEPT),
      ttlForgottenMillis: shortestTtl(held.ttlForgottenMillis, forgotten),
      endOfPauseForgotten: held.endOfPauseForgotten === true || !forgotten.every(isPausing),
    },
    lease: {
      id: held.id,
      n: held.n,
      incarnation,
      beat,
      ttlMillis,
      reachMillis: reachMillis > ttlMillis ? reachMillis : undefined,
      paused: paused ? true : undefined,
      released: undefined,
    },
  };
}

/** A beat that was provably not done ends no pause: what is in the store still says so. */
export function takeBackBeat(held: HeldLease, beat: number): HeldLease {
  if (!held.pauseConfirmed || held.release !== undefined) return held;
  const sent = held.sent.map((attempt) =>
    attempt.beat === beat ? { ...attempt, paused: true } : attempt,
  );
  const allPaused = held.endOfPauseForgotten !== true && sent.every(isPausing);
  return { ...held, sent, paused: allPaused };
}

/**
 * A beat is known to be in the store. A lapsed lease is not revived by it, and one that is left to run
 * out, because its server cannot be fenced, is not kept.
 */
export function confirmBeat(held: HeldLease, beat: number, now: Instant): HeldLease {
  const attempt = held.sent.find((sent) => sent.beat === beat);
  if (attempt === undefined) return held;
  if (held.lapses === true) return held;
  const alive = !isOver(held, now) && !held.amnesia;
  const sent = held.sent.filter((later) => later.beat > beat);
  // What was sent before can follow it no more; what was sent after it may.
  const paused = isPausing(attempt) && sent.every(isPausing);
  return {
    ...held,
    sent,
    paused: paused && (alive || held.paused),
    pauseConfirmed: isPausing(attempt),
    // Whatever was sent before a beat that is in the store can follow it no more.
    ttlForgottenMillis: undefined,
    endOfPauseForgotten: undefined,
    ttlConfirmedMillis: attempt.ttlMillis,
    reachMillis: Math.min(...[attempt, ...sent].map(reachOf)),
    confirmedAt: attempt.sentAt,
    confirmedBeat: Math.max(held.confirmedBeat, beat),
    vouched: true,
    ...(alive && renewal(held, attempt.sentAt, plus(attempt.sentAt, attempt.ttlMillis))),
  };
}

/** What becomes of a valid lease by something that was sent at that moment, and holds until then. */
export const renewal = (
  held: HeldLease,
  sentAt: Instant,
  until: Instant,
): Pick<HeldLease, 'end' | 'renewedAt'> => ({
  end: later(held.end, until),
  renewedAt: later(held.renewedAt ?? sentAt, sentAt),
});

/** What a consistent read says about the own lease. */
export type HolderReading =
  | { readonly kind: 'mine'; readonly held: HeldLease }
  /** The own release is in the store, or somebody released it in our name: over. */
  | { readonly kind: 'released' }
  | { readonly kind: 'superseded'; readonly n: number; readonly holder: string }
  /** The generation is missing or lower than ours: the store was wiped or restored. */
  | { readonly kind: 'amnesia'; readonly held: HeldLease }
  /** Another process under our member name writes our lease. */
  | { readonly kind: 'twin'; readonly incarnation: string };

/** Whose word ended a lease that its holder did not release. */
export const supersededBy = (
  reading: Extract<HolderReading, { kind: 'released' | 'superseded' }>,
): string =>
  reading.kind === 'superseded'
    ? `generation ${reading.n} of ${reading.holder}`
    : 'a release that was made in its name';

/**
 * A beat below the last confirmed one, whoever sent it, one of the dead, or one that says nothing of
 * the pause that nobody but the holder can end: the store was restored.
 */
function showsThePast(held: HeldLease, record: ClusterRecord): boolean {
  const lease = valueOf(record.lease);
  if (lease?.id !== held.id || lease.released !== undefined) return false;
  if (held.paused && lease.paused !== true) return true;
  return (
    lease.beat < held.confirmedBeat || (held.vouched && lease.incarnation === held.predecessor)
  );
}

/** Judges a read that was asked for after the last confirmed write of this holder. */
export function readAsHolder(
  held: HeldLease,
  record: ClusterRecord,
  incarnation: string,
  now: Instant,
): HolderReading {
  const generation = valueOf(record.generation);
  if (generation === undefined || generation.n < held.n || showsThePast(held, record)) {
    const forgetful: HeldLease = {
      ...held,
      amnesia: true,
      generationIndex: indexOf(record.generation),
      leaseIndex: indexOf(record.lease),
    };
    return { kind: 'amnesia', held: forgetful };
  }
  if (generation.id !== held.id) {
    return { kind: 'superseded', n: generation.n, holder: generation.holder };
  }
  const lease = valueOf(record.lease);
  const known: HeldLease = {
    ...held,
    generationIndex: indexOf(record.generation),
    leaseIndex: indexOf(record.lease),
    beat: Math.max(held.beat, lease?.id === held.id ? lease.beat : 0),
  };
  if (lease === undefined || lease.id !== held.id) return { kind: 'mine', held: known };
  if (lease.released !== undefined) return { kind: 'released' };
  if (lease.incarnation === incarnation) {
    return { kind: 'mine', held: confirmBeat(known, lease.beat, now) };
  }
  if (held.vouched) return { kind: 'twin', incarnation: lease.incarnation };
  // The predecessor's beat: followers wait for its ttl, so no more than that may be asked for.
  const ttlConfirmedMillis = Math.min(known.ttlConfirmedMillis, lease.ttlMillis);
  return { kind: 'mine', held: { ...known, ttlConfirmedMillis, predecessor: lease.incarnation } };
}
