import type { Verdict } from './decision.ts';
import { plus } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { Canvass, View } from './view.ts';

/** Longer than a round of questions takes. */
export const ANSWERS_KEPT_MILLIS: Millis = 2000;
const LOOK_EVERY_MILLIS: Millis = 100;

/**
 * What the other members answer to questions of that moment or later. They are asked first, and waited
 * for: that is what the verdict says.
 */
export function heardSince(view: View, moment: Instant, why: string): Canvass | Verdict {
  const { canvass, now } = view;
  if (canvass === undefined || canvass.askedAt < moment)
    return { why, actions: [{ kind: 'canvass' }] };
  return canvass.finishedAt === undefined
    ? { why, waitsFor: ['their answers'], wakeAt: plus(now, LOOK_EVERY_MILLIS) }
    : canvass;
}

/** The same, of answers that are no older than a round of questions takes. */
export const heardLately = (view: View, why: string): Canvass | Verdict =>
  heardSince(view, plus(view.now, -ANSWERS_KEPT_MILLIS), why);
