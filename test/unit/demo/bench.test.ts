import { describe, expect, it } from 'vitest';
import { summarise } from '../../../src/demo/bench.ts';
import type { EventKind, EventOutcome } from '../../../src/demo/events.ts';
import { percentile } from '../../../src/demo/statistics.ts';

const outcome = (
  kind: EventKind,
  directGapMillis: number,
  lostBeforeMillis: readonly number[] = [],
  to = 'pg2',
): EventOutcome => ({
  kind,
  from: 'pg1',
  to,
  directGapMillis,
  proxiedGapMillis: directGapMillis + 500,
  acknowledged: 100,
  lost: lostBeforeMillis.map((beforeEventMillis, id) => ({ writer: 'w', id, beforeEventMillis })),
  lagBytes: 0,
});

describe('the verdict of the benchmark', () => {
  it.each([
    { title: 'a median at the target passes', gaps: [3_000, 3_500, 9_000], pass: true },
    { title: 'a median above the target fails', gaps: [3_000, 3_501, 3_600], pass: false },
  ])('$title', ({ gaps, pass }) => {
    const line = summarise(
      'host loss',
      gaps.map((gap) => outcome('host loss', gap)),
      3_000,
    );
    expect(line.pass).toBe(pass);
    expect(line.maxMillis).toBe(Math.max(...gaps));
  });

  it.each<{ title: string; kind: EventKind; to: string; before: number; pass: boolean }>([
    {
      title: 'the last moment of a lost host',
      kind: 'host loss',
      to: 'pg2',
      before: 3,
      pass: true,
    },
    {
      title: 'an older write of a lost host',
      kind: 'host loss',
      to: 'pg2',
      before: 101,
      pass: false,
    },
    {
      title: 'a crash that was handed over',
      kind: 'postmaster crash',
      to: 'pg2',
      before: 3,
      pass: true,
    },
    {
      title: 'a crash that was recovered in place',
      kind: 'postmaster crash',
      to: 'pg1',
      before: 3,
      pass: false,
    },
    { title: 'a switchover', kind: 'switchover', to: 'pg2', before: 3, pass: false },
  ])('a lost write of $title: pass is $pass', ({ kind, to, before, pass }) => {
    const line = summarise(kind, [outcome(kind, 100, [before], to)], 3_000);
    expect(line.pass).toBe(pass);
    expect(line.lostInWindow + line.lostOtherwise).toBe(1);
  });
});

describe('percentile', () => {
  it('is the nearest rank', () => {
    const values = [5, 1, 4, 2, 3];
    expect(percentile(values, 0.5)).toBe(3);
    expect(percentile(values, 0.95)).toBe(5);
    expect(percentile(values, 0)).toBe(1);
    expect(percentile([], 0.5)).toBeNaN();
  });
});
