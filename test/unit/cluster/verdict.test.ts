import { describe, expect, it } from 'vitest';
import type { Allowance } from '../../cluster/fault.ts';
import type { Measures } from '../../cluster/measure.ts';
import { faultsFound } from '../../cluster/verdict.ts';

const allowance: Allowance = {
  generations: [1, 1],
  gapMillis: 6_000,
  lostSpanMillis: 100,
  staleSpanMillis: 0,
};

const measures = (given: Partial<Measures> = {}): Measures => ({
  acknowledged: 500,
  lost: { count: 0, spanMillis: 0 },
  stale: { count: 0, spanMillis: 0 },
  forked: [],
  gapMillis: 3_400,
  applicationGapMillis: 3_500,
  ...given,
});

describe('the verdict', () => {
  it('has nothing to say about what is allowed', () => {
    expect(faultsFound(allowance, 1, measures(), 0)).toEqual([]);
    const inFlight = measures({ lost: { count: 3, spanMillis: 60 } });
    expect(faultsFound(allowance, 1, inFlight, 0)).toEqual([]);
  });

  it.each<[what: string, generations: number, given: Partial<Measures>]>([
    ['9 writes acknowledged and lost', 1, { lost: { count: 9, spanMillis: 180 } }],
    ['1 writes acknowledged by a superseded', 1, { stale: { count: 1, spanMillis: 0 } }],
    ['two hosts wrote on timeline 4', 1, { forked: [4] }],
    ['0 changes of leader', 0, {}],
    ['2 changes of leader', 2, {}],
    ['no write for 6001 ms', 1, { gapMillis: 6_001 }],
    ['no write was acknowledged at all', 1, { acknowledged: 0 }],
  ])('names %s', (what, generations, given) => {
    const found = faultsFound(allowance, generations, measures(given), 0);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(what);
  });

  it('allows not one lost write where nothing may be lost, however short the span', () => {
    const strict = { ...allowance, lostSpanMillis: 0 };
    const one = measures({ lost: { count: 1, spanMillis: 0 } });
    expect(faultsFound(strict, 1, one, 0)).toHaveLength(1);
  });

  it('takes into account how late it noticed what a superseded primary acknowledged, where any may be', () => {
    const some = { ...allowance, staleSpanMillis: 50 };
    const late = measures({ stale: { count: 1, spanMillis: 56 } });
    expect(faultsFound(some, 1, late, 60)).toEqual([]);
    expect(faultsFound(some, 1, late, 5)).toHaveLength(1);
    expect(faultsFound(allowance, 1, late, 60)).toHaveLength(1);
  });
});
