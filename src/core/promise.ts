import { valueOf } from './cluster.ts';
import type { ClusterRecord } from './cluster.ts';
import { waitMillis } from './lease.ts';
import { later, plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * The voter's side of failsafe: "until then I neither send a takeover nor act on one". It needs no
 * disk: a new process observes afresh for a full wait before it takes over.
 */
export interface Promised {
  readonly leaseId: string;
  readonly until: Instant;
  /** And until then it does neither on its own word alone (P17). */
  readonly aloneUntil: Instant;
}

export interface VoterFacts {
  readonly now: Instant;
  readonly startedAt: Instant;
  /** Own lease that is valid, or not settled. */
  readonly holdsLeaseId: string | undefined;
  readonly takeoverUnresolved: boolean;
  readonly floor: { readonly n: number; readonly id: string | undefined };
  readonly promised: Promised | undefined;
  readonly record: ClusterRecord | undefined;
}

export interface PromiseAsked {
  readonly leaseId: string;
  readonly n: number;
  readonly ttlMillis: Millis;
  readonly reachMillis: Millis;
}

export type PromiseVerdict =
  | { readonly kind: 'promised'; readonly promised: Promised }
  | { readonly kind: 'refused'; readonly why: string };

const refused = (why: string): PromiseVerdict => ({ kind: 'refused', why });

export function judgePromise(facts: VoterFacts, asked: PromiseAsked): PromiseVerdict {
  if (facts.holdsLeaseId !== undefined && facts.holdsLeaseId !== asked.leaseId) {
    return refused('Running as a leader');
  }
  if (facts.takeoverUnresolved) return refused('an own takeover is not settled');
  if (facts.floor.n > asked.n) return refused(`generation ${facts.floor.n} has been seen`);
  if (
    facts.floor.n === asked.n &&
    facts.floor.id !== undefined &&
    facts.floor.id !== asked.leaseId
  ) {
    return refused(`generation ${asked.n} is known as another's`);
  }
  // It has forgotten what the process before it promised, and what that one had asked for.
  if (facts.now < plus(facts.startedAt, waitMillis(asked.ttlMillis))) {
    return refused('it has just started');
  }
  const until = plus(facts.now, waitMillis(asked.ttlMillis));
  const before = facts.promised;
  const aloneUntil = later(until, plus(facts.now, waitMillis(asked.reachMillis)));
  return {
    kind: 'promised',
    promised: {
      leaseId: asked.leaseId,
      until: later(before?.until ?? until, until),
      aloneUntil: later(before?.aloneUntil ?? aloneUntil, aloneUntil),
    },
  };
}

/** Whether a promise forbids a takeover or a promotion now. A release of the promised lease frees from it. */
export function isBound(
  promised: Promised | undefined,
  record: ClusterRecord | undefined,
  now: Instant,
): boolean {
  if (promised === undefined || now >= promised.until) return false;
  const lease = record === undefined ? undefined : valueOf(record.lease);
  return !(lease?.id === promised.leaseId && lease.released !== undefined);
}
