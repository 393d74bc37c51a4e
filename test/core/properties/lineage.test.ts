import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { promotedGeneration, strayPromotion, strayReceived } from '../../../src/core/branch.ts';
import type { Generation } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { relate } from '../../../src/core/timeline.ts';
import { aGeneration, aHost } from '../../harness/views.ts';
import { LineageWorld } from './lineage-world.ts';
import type { Step } from './lineage-world.ts';
import { commonEnd, historyOf, isPrefix, rewindPoint } from './logs.ts';
import type { Branch, Log } from './logs.ts';

const who = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      bytes: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('receive' as const),
      who,
      share: fc.constantFrom(0, 50, 100, 100),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('join' as const), who, running: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take-over' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('promote' as const),
      skip: fc.constantFrom(0, 0, 0, 1),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'record' }) },
);
const steps = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' });

describe('whatever was promoted, received, written down or lost', () => {
  test('a member follows only a log that its own is part of, and leads only with all that was promoted', () => {
    let started = 0;
    fc.assert(
      fc.property(steps, (happens) => {
        const world = new LineageWorld(3, false);
        for (const each of happens) world.take(each);
        expect(world.strayed).toEqual([]);
        started += world.joined.start;
      }),
      { numRuns: 2000 },
    );
    expect(started).toBeGreaterThan(100);
  });

  test('a member is rewound no less than its log has left that of the leader', () => {
    const joined = { rewind: 0, reclone: 0 };
    fc.assert(
      fc.property(steps, (happens) => {
        const world = new LineageWorld(3, false);
        for (const each of happens) world.take(each);
        expect(world.halfRewound).toEqual([]);
        joined.rewind += world.joined.rewind;
        joined.reclone += world.joined.reclone;
      }),
      { numRuns: 2000 },
    );
    // Both have to happen, or the worlds say nothing.
    for (const count of Object.values(joined)) expect(count).toBeGreaterThan(5);
  });
});

/** Logs out of one tree in which no number is given twice. */
const tree: fc.Arbitrary<readonly [Log, Log]> = fc
  .record({
    growth: fc.array(fc.record({ parent: fc.nat(9), on: fc.nat(20) }), { maxLength: 6 }),
    picks: fc.tuple(fc.nat(9), fc.nat(9)),
    written: fc.tuple(fc.nat(20), fc.nat(20)),
  })
  .map(({ growth, picks, written }) => {
    const branches: Branch[] = [{ number: 1, id: 'g1', parent: undefined, from: 0n }];
    const pick = (index: number): Branch => branches[index % branches.length] as Branch;
    for (const { parent, on } of growth) {
      const of = pick(parent);
      const number = branches.length + 1;
      branches.push({ number, id: `g${number}`, parent: of, from: of.from + 1n + BigInt(on) });
    }
    const log = (which: number, bytes: number): Log => {
      const branch = pick(which);
      return { branch, end: branch.from + 1n + BigInt(bytes) };
    };
    // The source has gone on writing since anybody left it.
    return [log(picks[0], written[0]), log(picks[1], written[1] + 200)] as const;
  });

describe('where every promotion has a number of its own', () => {
  test('numbers and positions tell a part of the history from what has left it', () => {
    fc.assert(
      fc.property(tree, ([own, source]) => {
        const kind = relate(own.branch.number, lsn(own.end), historyOf(source)).kind;
        expect(kind === 'ancestor').toBe(isPrefix(own, source));
      }),
      { numRuns: 1000 },
    );
  });

  test('a rewind goes back exactly to where two logs part', () => {
    fc.assert(
      fc.property(tree, ([own, source]) => {
        const kind = relate(own.branch.number, lsn(own.end), historyOf(source)).kind;
        const point = rewindPoint(own, source);
        if (kind === 'ancestor' || point === undefined) return;
        expect(point).toBe(commonEnd(own, source));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a lineage that is cut after 32 promotions', () => {
  const promotion = fc.integer({ min: 1, max: 60 });
  /** One generation after the other, each promoted once: `g7` to timeline 7. */
  const lineageUpTo = (newest: number, kept: number): Generation => {
    const entries = Array.from({ length: newest }, (_, at) => newest - at).map((timeline) => ({
      id: `g${timeline}`,
      timeline,
      switchLsn: lsn(BigInt(timeline)),
    }));
    const [current, ...ancestors] = entries;
    return aGeneration({ n: newest, ...current, ancestors: ancestors.slice(0, kept) });
  };

  test('takes nobody for its own whom the whole one would not', () => {
    fc.assert(
      fc.property(promotion, promotion, promotion, (newest, followed, timeline) => {
        const host = aHost({
          followed: { id: `g${followed}`, timeline, from: 'pg1' },
          promotions: [{ id: `g${followed}`, timeline, switchLsn: lsn(1n) }],
        });
        const [cut, whole] = [lineageUpTo(newest, 32), lineageUpTo(newest, 99)];
        for (const stray of [strayReceived, strayPromotion]) {
          if (stray(host, cut, timeline) === undefined) {
            expect(stray(host, whole, timeline)).toBeUndefined();
          }
        }
        expect(promotedGeneration(cut)?.id).toBe(promotedGeneration(whole)?.id);
      }),
      { numRuns: 400 },
    );
  });

  test('still knows everyone who was there within the last 32', () => {
    fc.assert(
      fc.property(promotion, fc.nat(32), (newest, ago) => {
        const timeline = Math.max(1, newest - ago);
        const host = aHost({ followed: { id: `g${timeline}`, timeline, from: 'pg1' } });
        expect(strayReceived(host, lineageUpTo(newest, 32), timeline)).toBeUndefined();
      }),
    );
  });
});
