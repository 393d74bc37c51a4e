import { describe, expect, test } from 'vitest';
import type { Timing } from '../../src/core/settings.ts';
import { DEFAULT_TIMING, timingWithDefaults } from '../../src/core/timing.ts';
import { instant } from '../../src/core/time.ts';
import { lastPingAt, resetBy, watchdogFault, watchdogTimeout } from '../../src/core/watchdog.ts';

const timing = (given: Partial<Timing>): Timing => timingWithDefaults(given);

describe('the timeout of a watchdog device', () => {
  test.each([
    ['the defaults', {}, undefined, 2000],
    ['the defaults, half of ttl', {}, 'half', 1000],
    ['the defaults, a margin that leaves two seconds', {}, 1000, 2000],
    ['a margin smaller than the least', {}, 0, 2000],
    ["Patroni's times and margin", { ttlMillis: 30_000, loopWaitMillis: 10_000 }, 5000, 25_000],
    ["Patroni's times, half of ttl", { ttlMillis: 30_000 }, 'half', 15_000],
    ['a ttl with a fraction', { ttlMillis: 4900 }, undefined, 4000],
    ['slow heartbeats', { ttlMillis: 9000, heartbeatMillis: 2000 }, undefined, 6000],
  ] as const)('%s', (_, given, safetyMarginMillis, timeoutMillis) => {
    expect(watchdogTimeout(timing(given), { safetyMarginMillis })).toEqual({
      kind: 'fits',
      timeoutMillis,
    });
  });

  test.each([
    [
      "Patroni's margin with a short lease",
      {},
      5000,
      'safety_margin 5 s leaves less than a second of ttl 3 s',
      'lower safety_margin to at most 2, or remove it: then it is as small as it can be',
    ],
    [
      'a lease too short for any device',
      { ttlMillis: 1500, heartbeatMillis: 200, fenceBudgetMillis: 450, retryTimeoutMillis: 500 },
      undefined,
      'ttl 1.5 s is too short for a watchdog device, which counts whole seconds',
      'raise ttl to at least 1.525, or set watchdog.mode to off',
    ],
    [
      'half of a lease that is shorter than two seconds',
      { ttlMillis: 1900, heartbeatMillis: 200, fenceBudgetMillis: 400, retryTimeoutMillis: 500 },
      'half',
      'half of ttl 1.9 s is less than the second that a watchdog device counts at least',
      'remove safety_margin, or raise ttl to at least 2',
    ],
  ] as const)('%s fits none', (_, given, safetyMarginMillis, why, remedy) => {
    expect(watchdogTimeout(timing(given), { safetyMarginMillis })).toEqual({
      kind: 'misfit',
      why,
      remedy,
    });
  });

  test('what is advised fits', () => {
    const short = { heartbeatMillis: 200, fenceBudgetMillis: 450, retryTimeoutMillis: 500 };
    const advised = watchdogTimeout(timing({ ...short, ttlMillis: 1525 }), {
      safetyMarginMillis: undefined,
    });
    expect(advised).toEqual({ kind: 'fits', timeoutMillis: 1000 });
    expect(watchdogTimeout(DEFAULT_TIMING, { safetyMarginMillis: 2000 }).kind).toBe('fits');
  });
});

describe('a ping', () => {
  test('keeps the host alive until half of the fence budget before the lease ends, and no longer', () => {
    const end = instant(100_000);
    expect(resetBy(end, 500)).toBe(99_750);
    expect(lastPingAt(end, 500, 2000) + 2000).toBe(99_750);
  });
});

describe('a device that is required', () => {
  const required = {
    mode: 'required',
    device: '/dev/watchdog',
    driver: 'default',
    safetyMarginMillis: undefined,
  } as const;
  const broken = { kind: 'unusable', why: 'it is not there', remedy: undefined } as const;

  test.each([
    ['unusable', required, broken, 'its watchdog is required and unusable: it is not there'],
    ['unknown', required, { kind: 'unknown' }, 'its watchdog device has not been looked at yet'],
    ['ready', required, { kind: 'ready' }, undefined],
    ['open', required, { kind: 'open' }, undefined],
    ['unusable, and not required', { ...required, mode: 'automatic' }, broken, undefined],
    ['not configured', undefined, undefined, undefined],
  ] as const)('%s', (_, settings, facts, fault) => {
    expect(watchdogFault(settings, facts)).toBe(fault);
  });
});
