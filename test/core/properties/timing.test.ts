import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fenceAt, guardianFenceAt, waitMillis, winLease } from '../../../src/core/lease.ts';
import type { Timing } from '../../../src/core/settings.ts';
import { instant } from '../../../src/core/time.ts';
import {
  checkTiming,
  LONGEST_DURATION_MILLIS,
  TIMING_KEYS,
  timingField,
  timingWithDefaults,
} from '../../../src/core/timing.ts';
import type { TimingKey, TimingProblem } from '../../../src/core/timing.ts';

/** Mostly what people write, close to the bounds; sometimes any number. */
const seconds = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 30 }).map((value) => value * 1000) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 120 }).map((value) => value * 100) },
  { weight: 1, arbitrary: fc.integer({ min: -1000, max: LONGEST_DURATION_MILLIS + 1000 }) },
);
const short = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 30 }).map((value) => value * 50) },
  { weight: 1, arbitrary: fc.integer({ min: -1000, max: 400_000_000 }) },
);
const given: fc.Arbitrary<Partial<Timing>> = fc.record(
  {
    ttlMillis: seconds,
    heartbeatMillis: short,
    fenceBudgetMillis: short,
    retryTimeoutMillis: short,
    loopWaitMillis: seconds,
    primaryStartTimeoutMillis: seconds,
    primaryHangTimeoutMillis: seconds,
    primaryStopTimeoutMillis: seconds,
    promoteTimeoutMillis: seconds,
  },
  { requiredKeys: [] },
);

/** As the specification states it, in one expression. */
const LEAST: Readonly<Record<TimingKey, number>> = {
  ttl: 500,
  heartbeat: 50,
  fence_budget: 100,
  retry_timeout: 100,
  loop_wait: 50,
  primary_start_timeout: 0,
  primary_hang_timeout: 0,
  primary_stop_timeout: 0,
  promote_timeout: 1000,
};
const works = (timing: Timing): boolean =>
  TIMING_KEYS.every((key) => {
    const value = timing[timingField(key)];
    return value >= LEAST[key] && value <= LONGEST_DURATION_MILLIS;
  }) &&
  timing.ttlMillis >= 3 * timing.heartbeatMillis + 2 * timing.fenceBudgetMillis &&
  timing.retryTimeoutMillis <= timing.ttlMillis;

const keyOf = (name: string): TimingKey => {
  const key = TIMING_KEYS.find((known) => known === name);
  if (key === undefined) throw new Error(`a remedy names ${name}, which is no setting`);
  return key;
};

/** The changes that a remedy offers; each of them alone is to be enough. */
function offers(problem: TimingProblem): readonly { key: TimingKey; millis: number }[] {
  const found = problem.remedy.matchAll(/(?:raise|lower) (\w+) to at (?:least|most) ([0-9.]+)/g);
  return [...found].map(([, name, value]) => ({
    key: keyOf(name ?? ''),
    millis: Math.round(Number(value) * 1000),
  }));
}

const withChange = (timing: Timing, change: { key: TimingKey; millis: number }): Timing => ({
  ...timing,
  [timingField(change.key)]: change.millis,
});
const about = (timing: Timing, problem: TimingProblem): boolean =>
  checkTiming(timing).some(({ message }) => message === problem.message);

describe('timings', () => {
  test('are accepted if and only if they satisfy every relation', () => {
    fc.assert(
      fc.property(given, (partial) => {
        const timing = timingWithDefaults(partial);
        expect(checkTiming(timing).length === 0).toBe(works(timing));
      }),
      { numRuns: 1000 },
    );
  });

  test('that are refused become acceptable by taking the first offer of each message in turn', () => {
    fc.assert(
      fc.property(given, (partial) => {
        let timing = timingWithDefaults(partial);
        for (let round = 0; round < 12; round += 1) {
          const [problem] = checkTiming(timing);
          if (problem === undefined) return;
          const [offer] = offers(problem);
          if (offer === undefined) throw new Error(`no number to set in: ${problem.remedy}`);
          timing = withChange(timing, offer);
        }
        expect(checkTiming(timing)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test('every single offer settles the problem that it is made for', () => {
    fc.assert(
      fc.property(given, (partial) => {
        const timing = timingWithDefaults(partial);
        for (const problem of checkTiming(timing)) {
          for (const offer of offers(problem)) {
            expect(about(withChange(timing, offer), problem)).toBe(false);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('that are accepted leave room for three heartbeats before the agent fences', () => {
    fc.assert(
      fc.property(given, (partial) => {
        const timing = timingWithDefaults(partial);
        fc.pre(works(timing));
        const { ttlMillis, heartbeatMillis, fenceBudgetMillis } = timing;
        const held = winLease('a', 1, instant(0), ttlMillis, { generation: 1, lease: 2 });
        const guardian = guardianFenceAt(held.end, fenceBudgetMillis);
        expect(guardian + fenceBudgetMillis).toBeLessThan(held.end);
        expect(fenceAt(held, timing)).toBeLessThan(guardian);
        expect(ttlMillis - 2 * fenceBudgetMillis).toBeGreaterThanOrEqual(3 * heartbeatMillis);
        expect(waitMillis(ttlMillis)).toBeGreaterThan(ttlMillis);
      }),
    );
  });

  test('what is set is kept, whatever the defaults of the rest are', () => {
    fc.assert(
      fc.property(given, (partial) => {
        expect(timingWithDefaults(partial)).toMatchObject(partial);
      }),
    );
  });
});
