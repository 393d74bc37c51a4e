import type { ClusterRecord } from './cluster.ts';
import { mostAreFree } from './reach.ts';
import type { TakeoverBasis, TakeoverVerdict } from './takeover-verdict.ts';
import { earlier, plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { Canvass, View } from './view.ts';

/** Who may be free of its promise in a moment, or answer then, is asked again after this. */
const AGAIN_MILLIS: Millis = 300;

export interface LonelyGround {
  readonly basis: TakeoverBasis;
  readonly freeSince: Instant;
  /** From then on nobody else has to bear it out; undefined: nobody has to at all. */
  readonly waitUntil: Instant | undefined;
}

/** What keeps a member from taking over that too few others bear out; undefined: nothing. */
export function lonely(
  view: View,
  canvass: Canvass,
  cluster: ClusterRecord,
  { basis, waitUntil }: LonelyGround,
): TakeoverVerdict | undefined {
  if (waitUntil === undefined || view.now >= waitUntil) return undefined;
  if (basis === 'own-lapsed') return mostAnswer(canvass) ? undefined : wonTooLate(waitUntil);
  if (mostAreFree(view, canvass, cluster)) return undefined;
  const againAt = plus(canvass.finishedAt ?? canvass.askedAt, AGAIN_MILLIS);
  return tooFewFree(view.now >= againAt, earlier(againAt, waitUntil));
}

/** While they are asked again. That they are asked for the first time is news. */
export function stillLonely(
  { now }: View,
  { askedAt }: Canvass,
  { basis, freeSince, waitUntil }: LonelyGround,
): TakeoverVerdict | undefined {
  const alone = waitUntil === undefined || now >= waitUntil || basis === 'own-lapsed';
  const isFirst = since(freeSince, askedAt) < AGAIN_MILLIS;
  return alone || isFirst ? undefined : tooFewFree(false, waitUntil);
}

const tooFewFree = (ask: boolean, until: Instant): TakeoverVerdict => ({
  kind: 'votes',
  why: 'too few members have said that no promise binds them: those of the others may carry the lease',
  waitsFor:
    'most members to answer that they are free of promises, or until no lease reaches that far',
  ask,
  until,
});

export const heardOf = ({ opinions }: Canvass): number =>
  opinions.filter(({ report }) => report !== undefined).length;

/** Nobody can have led unknown to most of the members. */
const mostAnswer = (canvass: Canvass): boolean =>
  2 * (heardOf(canvass) + 1) > canvass.opinions.length + 1;

/**
 * The request was on its way for longer than the lease: who may have led meanwhile, in a store that was
 * lost since, most members would know.
 */
const wonTooLate = (until: Instant): TakeoverVerdict => ({
  kind: 'wait',
  why: 'the lease was given after it had ended, and most members do not answer: it is waited for',
  until,
});
