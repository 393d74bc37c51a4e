import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_CLUSTER } from '../../../src/core/cluster.ts';
import { extendByPromises, needsPromises, promiseTtlMillis } from '../../../src/core/failsafe.ts';
import {
  confirmBeat,
  fenceAt,
  guardianFenceAt,
  isValid,
  readAsHolder,
  sendBeat,
  waitMillis,
  winLease,
} from '../../../src/core/lease.ts';
import type { HeldLease } from '../../../src/core/lease.ts';
import { instant, plus } from '../../../src/core/time.ts';
import type { Instant } from '../../../src/core/time.ts';
import { timingWithDefaults } from '../../../src/core/timing.ts';
import { LeaseWorld } from './lease-world.ts';
import type { Fate, Step } from './lease-world.ts';

const ttl = fc.constantFrom(500, 1000, 3000, 10_000);
const travel = fc.integer({ min: 0, max: 900 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('beat' as const),
      ttlMillis: ttl,
      reachMillis: fc.constantFrom(0, 15_000),
      fate: fc.constantFrom<Fate>('answered', 'unanswered', 'lost', 'held-up'),
      thereMillis: travel,
      backMillis: travel,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      travels: fc.array(
        fc.record({
          thereMillis: fc.option(travel, { nil: undefined }),
          backMillis: fc.option(travel, { nil: undefined }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      rounds: fc.constantFrom(1, 3, 10, 50),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      millis: fc.integer({ min: 0, max: 4000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('straggle' as const), which: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('restart-follower' as const), which: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart-holder' }) },
);
/** By which the lease reaches far from the start. */
const FIRST_BEAT: Step = {
  kind: 'beat',
  ttlMillis: 3000,
  reachMillis: 15_000,
  fate: 'answered',
  thereMillis: 10,
  backMillis: 10,
};
/** Of clocks that drift by at most 1 % against the holder's (A2). */
const rates = fc.array(fc.constantFrom(1 / 1.01, 1, 1.01), { minLength: 1, maxLength: 4 });
const steps = fc
  .array(step, { minLength: 1, maxLength: 30, size: 'max' })
  .chain((happens) => fc.constantFrom(happens, [FIRST_BEAT, ...happens]));

describe('whatever becomes of beats, answers, promises and processes', () => {
  test("no follower may lead before the lease has ended on the holder's own clock", () => {
    fc.assert(
      fc.property(rates, steps, (drift, happens) => {
        const world = new LeaseWorld(drift);
        for (const each of happens) {
          world.take(each);
          expect(world.othersFrom).toBeGreaterThanOrEqual(world.ends);
        }
      }),
      { numRuns: 6000 },
    );
  });

  test("a lease that has ended on the holder's own clock never runs again", () => {
    fc.assert(
      fc.property(rates, steps, (drift, happens) => {
        const world = new LeaseWorld(drift);
        for (const each of happens) world.take(each);
        expect(world.revived).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});

/** The holder's side alone, by the rules as the protocol states them in words. */
interface Model {
  end: number;
  readonly sentAt: Map<number, number>;
  readonly ttl: Map<number, number>;
}
type Move =
  | { readonly kind: 'send'; readonly after: number; readonly ttlMillis: number }
  | { readonly kind: 'confirm'; readonly after: number; readonly beat: number };
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    after: fc.nat(1500),
    ttlMillis: fc.integer({ min: 500, max: 9000 }),
  }),
  fc.record({
    kind: fc.constant('confirm' as const),
    after: fc.nat(1500),
    beat: fc.integer({ min: 0, max: 12 }),
  }),
);
const WON_AT: Instant = instant(50_000);
const INDEXES = { generation: 3, lease: 4 };
const aHolder = (): HeldLease => winLease('a1', 1, WON_AT, 3000, INDEXES);

describe('the holder', () => {
  test('believes in its lease no longer than the rules of the protocol say', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 20 }), (moves) => {
        let held = aHolder();
        let now: number = WON_AT;
        const model: Model = { end: held.end, sentAt: new Map(), ttl: new Map() };
        for (const each of moves) {
          now += each.after;
          if (each.kind === 'send') {
            const sent = sendBeat(held, instant(now), { ttlMillis: each.ttlMillis }, 'one');
            held = sent.held;
            model.sentAt.set(sent.lease.beat, now);
            model.ttl.set(sent.lease.beat, each.ttlMillis);
            model.end = Math.min(model.end, now + each.ttlMillis);
          } else {
            held = confirmBeat(held, each.beat, instant(now));
            const sentAt = model.sentAt.get(each.beat);
            if (sentAt !== undefined && now < model.end) {
              model.end = Math.max(model.end, sentAt + (model.ttl.get(each.beat) ?? 0));
            }
          }
          expect(held.end).toBeLessThanOrEqual(model.end);
        }
      }),
    );
  });

  test('numbers every attempt anew, so that no two are the same bytes', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 20 }), (moves) => {
        let held = aHolder();
        const beats: number[] = [];
        for (const each of moves) {
          if (each.kind === 'confirm') held = confirmBeat(held, each.beat, WON_AT);
          else {
            const sent = sendBeat(held, WON_AT, { ttlMillis: each.ttlMillis }, 'one');
            held = sent.held;
            beats.push(sent.lease.beat);
          }
        }
        expect(beats).toEqual([...new Set(beats)].toSorted((a, b) => a - b));
      }),
    );
  });

  test('who has released it holds it no more, whatever is confirmed or promised later', () => {
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    fc.assert(
      fc.property(fc.array(move, { maxLength: 12 }), fc.nat(9000), (moves, millis) => {
        let held: HeldLease = { ...aHolder(), release };
        for (const each of moves) {
          held =
            each.kind === 'send'
              ? sendBeat(held, WON_AT, { ttlMillis: each.ttlMillis }, 'one').held
              : confirmBeat(held, each.beat, WON_AT);
          held = extendByPromises(held, plus(WON_AT, millis), WON_AT);
          expect(isValid(held, WON_AT)).toBe(false);
          expect(needsPromises(held, WON_AT)).toBe(false);
        }
      }),
    );
  });

  test('an acknowledgement of what it never sent, or of what was settled long ago, changes nothing', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(5000), (beat, after) => {
        const now = plus(WON_AT, after);
        const sent = sendBeat(aHolder(), now, { ttlMillis: 3000 }, 'one').held;
        if (beat !== 1) expect(confirmBeat(sent, beat, now)).toEqual(sent);
        const settled = confirmBeat(sent, 1, now);
        expect(confirmBeat(settled, 1, now)).toEqual(settled);
      }),
    );
  });

  test('asks for promises no longer than the shortest ttl that any follower may have read', () => {
    fc.assert(
      fc.property(fc.array(ttl, { minLength: 1, maxLength: 6 }), (sentTtls) => {
        let held = aHolder();
        for (const ttlMillis of sentTtls) held = sendBeat(held, WON_AT, { ttlMillis }, 'one').held;
        expect(promiseTtlMillis(held)).toBe(Math.min(3000, ...sentTtls));
      }),
    );
  });

  test('a store that has forgotten the past extends nothing by an acknowledgement', () => {
    fc.assert(
      fc.property(fc.nat(2900), ttl, (after, ttlMillis) => {
        const now = plus(WON_AT, after);
        const reading = readAsHolder(aHolder(), EMPTY_CLUSTER, 'one', now);
        if (reading.kind !== 'amnesia') throw new Error(`read ${reading.kind}`);
        const { held } = sendBeat(reading.held, now, { ttlMillis }, 'one');
        expect(confirmBeat(held, 1, now).end).toBe(held.end);
      }),
    );
  });
});

describe('waiting and fencing', () => {
  test('a follower whose clock is 1 % fast waits longer than a holder whose clock is exact believes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600_000 }), (ttlMillis) => {
        expect(waitMillis(ttlMillis) / 1.01).toBeGreaterThan(ttlMillis);
      }),
    );
  });

  test('the agent begins to fence before the guardian does, and both a whole budget before the end', () => {
    const budget = fc.integer({ min: 100, max: 60_000 });
    fc.assert(
      fc.property(budget, (fenceBudgetMillis) => {
        const held = aHolder();
        const agent = fenceAt(held, timingWithDefaults({ fenceBudgetMillis }));
        const guardian = guardianFenceAt(held.end, fenceBudgetMillis);
        expect(agent).toBeLessThan(guardian);
        expect(guardian + fenceBudgetMillis).toBeLessThan(held.end);
      }),
    );
  });
});
