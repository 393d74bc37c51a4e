import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_TIMING, checkTiming, timingWithDefaults } from '../../../src/core/timing.ts';
import type { Timing } from '../../../src/core/settings.ts';

test('the defaults work together', () => {
  expect(checkTiming(DEFAULT_TIMING)).toEqual([]);
});

test("every timing that Patroni accepts works with pgbaton's heartbeat", () => {
  const patroni = fc
    .record({
      ttl: fc.integer({ min: 20, max: 3600 }),
      loopWait: fc.integer({ min: 1, max: 1200 }),
      retry: fc.integer({ min: 3, max: 1200 }),
    })
    .filter(({ ttl, loopWait, retry }) => loopWait + 2 * retry <= ttl);
  fc.assert(
    fc.property(patroni, ({ ttl, loopWait, retry }) => {
      const timing = timingWithDefaults({
        ttlMillis: ttl * 1000,
        loopWaitMillis: loopWait * 1000,
        retryTimeoutMillis: retry * 1000,
      });
      expect(checkTiming(timing)).toEqual([]);
    }),
  );
});

describe('the remedy of a violation is one', () => {
  const millis = fc.integer({ min: 100, max: 20_000 });
  const arbitrary = fc.record({
    ttlMillis: fc.integer({ min: 500, max: 20_000 }),
    heartbeatMillis: millis,
    fenceBudgetMillis: millis,
    retryTimeoutMillis: millis,
  });
  const secondsIn = (remedy: string, key: string): number =>
    Math.round(
      Number(new RegExp(`${key} to at (?:least|most) ([0-9.]+)`).exec(remedy)?.[1]) * 1000,
    );

  test('raising ttl to the number named is enough', () => {
    fc.assert(
      fc.property(arbitrary, (given) => {
        const timing = timingWithDefaults(given);
        const problems = checkTiming(timing);
        if (problems.length === 0) return;
        const ttlMillis = Math.max(...problems.map(({ remedy }) => secondsIn(remedy, 'ttl')));
        expect(checkTiming({ ...timing, ttlMillis })).toEqual([]);
      }),
    );
  });

  test('lowering the heartbeat or the retries to the number named is enough as well', () => {
    fc.assert(
      fc.property(arbitrary, (given) => {
        let timing: Timing = timingWithDefaults(given);
        for (const { remedy } of checkTiming(timing)) {
          const heartbeatMillis = secondsIn(remedy, 'heartbeat');
          const retryTimeoutMillis = secondsIn(remedy, 'retry_timeout');
          if (!Number.isNaN(heartbeatMillis)) timing = { ...timing, heartbeatMillis };
          else if (!Number.isNaN(retryTimeoutMillis)) timing = { ...timing, retryTimeoutMillis };
          else return;
        }
        expect(checkTiming(timing)).toEqual([]);
      }),
    );
  });
});

test('no ttl is advised that would be refused', () => {
  const far = { ...DEFAULT_TIMING, heartbeatMillis: 715_828_000 };
  expect(checkTiming(far).map(({ remedy }) => remedy)).toEqual([
    'lower heartbeat to at most 0.666',
  ]);
});

test.each<[Partial<Timing>, string]>([
  [{ ttlMillis: 100 }, 'raise ttl to at least 0.5'],
  [{ fenceBudgetMillis: 0 }, 'raise fence_budget to at least 0.1'],
  [{ promoteTimeoutMillis: 10 }, 'raise promote_timeout to at least 1'],
  [{ loopWaitMillis: 0 }, 'raise loop_wait to at least 0.05'],
  [{ primaryStartTimeoutMillis: 2 ** 31 }, 'lower primary_start_timeout to at most 2147483'],
  [{ fenceBudgetMillis: 2000 }, 'raise ttl to at least 5.5, or lower heartbeat and fence_budget'],
])('%j is refused with "%s"', (given, remedy) => {
  expect(checkTiming(timingWithDefaults(given)).map((problem) => problem.remedy)).toEqual([remedy]);
});

test('a server that answers nobody is borne with for as long as Consul is, and ten seconds at least', () => {
  expect(timingWithDefaults({}).primaryHangTimeoutMillis).toBe(10_000);
  expect(
    timingWithDefaults({ ttlMillis: 30_000, retryTimeoutMillis: 10_000 }).primaryHangTimeoutMillis,
  ).toBe(40_000);
  expect(timingWithDefaults({ primaryHangTimeoutMillis: 0 }).primaryHangTimeoutMillis).toBe(0);
});

test('a promotion may take as long as a lease lives, and half a minute at least', () => {
  expect(timingWithDefaults({}).promoteTimeoutMillis).toBe(30_000);
  expect(timingWithDefaults({ ttlMillis: 60_000 }).promoteTimeoutMillis).toBe(60_000);
  expect(timingWithDefaults({ promoteTimeoutMillis: 5000 }).promoteTimeoutMillis).toBe(5000);
});
