import type { Millis } from '../../src/core/time.ts';
import type { Allowance } from './fault.ts';
import type { Measures, Wrong } from './measure.ts';

function tooMany(what: string, { count, spanMillis }: Wrong, allowedMillis: number): string[] {
  if (count === 0 || (allowedMillis > 0 && spanMillis <= allowedMillis)) return [];
  const allowed =
    allowedMillis === 0 ? 'none is allowed' : `${allowedMillis.toFixed(0)} ms are allowed`;
  return [`${count} writes ${what}, over ${spanMillis.toFixed(0)} ms; ${allowed}`];
}

/**
 * What was worse than a fault may make it; empty when all is well. `lateMillis` is how long the program that
 * measures waited for its turn at most: an answer that it noticed so late was there before.
 */
export function faultsFound(
  allowance: Allowance,
  generations: number,
  measures: Measures,
  lateMillis: Millis,
): readonly string[] {
  const [least, most] = allowance.generations;
  const found: string[] = [];
  if (measures.acknowledged === 0) found.push('no write was acknowledged at all');
  found.push(
    ...tooMany('acknowledged and lost', measures.lost, allowance.lostSpanMillis),
    ...tooMany(
      'acknowledged by a superseded primary',
      measures.stale,
      allowance.staleSpanMillis === 0 ? 0 : allowance.staleSpanMillis + lateMillis,
    ),
    ...measures.forked.map((timeline) => `two hosts wrote on timeline ${timeline}`),
  );
  if (generations < least || generations > most) {
    found.push(`${generations} changes of leader, not ${least} to ${most}`);
  }
  if (allowance.gapMillis !== undefined && measures.gapMillis > allowance.gapMillis) {
    found.push(`no write for ${measures.gapMillis.toFixed(0)} ms, not ${allowance.gapMillis}`);
  }
  return found;
}
