import { describe, expect, it } from 'vitest';
import type { Acknowledged, Episode } from '../../cluster/measure.ts';
import { keyOf, measure, staleWrites } from '../../cluster/measure.ts';

let nextId = 0;

/** A write of `host` that was answered at that moment. */
function write(host: string, timeline: number, atMillis: number): Acknowledged {
  nextId += 1;
  return { writer: host, id: nextId, host, timeline, sentAtMillis: atMillis - 2, atMillis };
}

const every = (host: string, timeline: number, from: number, until: number): Acknowledged[] =>
  Array.from({ length: (until - from) / 20 }, (_, index) =>
    write(host, timeline, from + 20 * index),
  );

/** All of it is kept unless told otherwise. */
function episode(acknowledged: readonly Acknowledged[], given: Partial<Episode> = {}): Episode {
  return {
    acknowledged,
    earlier: [],
    fromMillis: 0,
    untilMillis: Math.max(...acknowledged.map(({ atMillis }) => atMillis)),
    resumedAtMillis: undefined,
    rows: new Set(acknowledged.map(keyOf)),
    application: 'application',
    ...given,
  };
}

describe('what a fault did to the writers', () => {
  it('is nothing when one primary acknowledges all the time', () => {
    expect(measure(episode(every('pg1', 1, 0, 1000)))).toMatchObject({
      acknowledged: 50,
      lost: { count: 0, spanMillis: 0 },
      stale: { count: 0, spanMillis: 0 },
      forked: [],
      gapMillis: 20,
    });
  });

  it('is a gap between the last write of one primary and the first of the next', () => {
    const all = [...every('pg1', 1, 0, 1000), ...every('pg2', 2, 4000, 5000)];
    expect(measure(episode(all))).toMatchObject({ gapMillis: 3020, stale: { count: 0 } });
  });

  it('counts what the final primary does not have, and for how long that went on', () => {
    const kept = [...every('pg1', 1, 0, 1000), ...every('pg2', 2, 4000, 5000)];
    const lost = every('pg1', 1, 1000, 2500);
    const rows = new Set(kept.map(keyOf));
    const all = [...kept, ...lost].sort((a, b) => a.atMillis - b.atMillis);
    expect(measure(episode(all, { rows }))).toMatchObject({
      lost: { count: 75, spanMillis: 1480 },
      // What is lost again fills no gap.
      gapMillis: 3020,
    });
  });

  it('counts a write that is lost though it was acknowledged long before', () => {
    const earlier = [write('pg1', 1, -60_000)];
    expect(measure(episode(every('pg2', 2, 0, 100), { earlier })).lost.count).toBe(1);
  });

  it('counts what a superseded primary acknowledges, from its successor’s first answer on', () => {
    const old = every('pg1', 1, 0, 1100);
    const successor = every('pg2', 2, 1000, 2000);
    const all = [...old, ...successor].sort((a, b) => a.atMillis - b.atMillis);
    const stale = measure(episode(all)).stale;
    expect(stale.count).toBeGreaterThanOrEqual(4);
    expect(stale.spanMillis).toBe(80);
  });

  it('measures the lateness of a host that stood still from the moment it went on', () => {
    const all = [...every('pg1', 1, 0, 100), ...every('pg2', 2, 4000, 30_000)];
    const late = [write('pg1', 1, 30_010), write('pg1', 1, 30_030)];
    const { stale } = measure(episode([...all, ...late], { resumedAtMillis: 30_000 }));
    expect(stale).toEqual({ count: 2, spanMillis: 30 });
  });

  it('does not excuse what was acknowledged before that moment', () => {
    const all = [...every('pg1', 1, 0, 100), ...every('pg2', 2, 4000, 4500), write('pg1', 1, 5000)];
    const { stale } = measure(episode(all, { resumedAtMillis: 30_000 }));
    expect(stale).toEqual({ count: 1, spanMillis: 1000 });
  });

  it('sees two hosts that write on timelines of the same number', () => {
    const all = [...every('pg1', 1, 0, 100), ...every('pg2', 2, 200, 300), write('pg3', 2, 320)];
    expect(measure(episode(all)).forked).toEqual([2]);
  });

  it('tells the gap of the application apart from that of all writers', () => {
    const application = { ...write('pg1', 1, 10), writer: 'application' };
    const all = [...every('pg1', 1, 0, 1000), application].sort((a, b) => a.atMillis - b.atMillis);
    expect(measure(episode(all)).applicationGapMillis).toBe(970);
  });
});

describe('an answer that was slow on the network', () => {
  it('is none of a superseded primary: only clients on the hosts themselves know', () => {
    const late = { ...write('pg1', 1, 310), writer: 'application' };
    const all = [...every('pg1', 1, 0, 100), ...every('pg2', 2, 200, 300), late];
    expect(measure(episode(all)).stale.count).toBe(0);
    expect(measure(episode([...all, write('pg1', 1, 320)])).stale.count).toBe(1);
  });
});

describe('a primary that comes and goes', () => {
  it('is not stale when it leads again, on a timeline of its own', () => {
    const all = [
      ...every('pg1', 1, 0, 100),
      ...every('pg2', 2, 200, 300),
      ...every('pg1', 3, 400, 500),
    ];
    expect(staleWrites(all)).toEqual([]);
  });
});
