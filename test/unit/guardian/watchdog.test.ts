import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instant } from '../../../src/core/time.ts';
import type { Instant } from '../../../src/core/time.ts';
import { lastPingAt } from '../../../src/core/watchdog.ts';
import { bootMillis } from '../../../src/guardian/boottime.ts';
import { Watchdog } from '../../../src/guardian/watchdog.ts';
import { openDevice } from '../../../src/guardian/watchdog-device.ts';
import { hostClock, until } from '../../harness/guardian-program.ts';
import { FakeWatchdogDevice, layOutAttributes } from '../../harness/watchdog-device.ts';

const TIMEOUT_MILLIS = 1000;
const BUDGET_MILLIS = 200;

let root: string;
let device: FakeWatchdogDevice;
let watchdog: Watchdog;
let changes: number;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbaton-watchdog-'));
  device = new FakeWatchdogDevice(root);
  changes = 0;
  watchdog = new Watchdog({
    now: bootMillis,
    timer: (delayMillis, callback) => hostClock.timer(delayMillis, callback),
    open: openDevice,
    log: () => undefined,
    onChange: () => {
      changes += 1;
    },
  });
});
afterEach(() => {
  watchdog.release();
  device.unplug();
  rmSync(root, { recursive: true, force: true });
});

const inMillis = (millis: number): Instant => instant(bootMillis() + millis);
const guard = (end: Instant): void => {
  watchdog.guard(device.order(TIMEOUT_MILLIS), end, BUDGET_MILLIS);
};

describe('the watchdog device under a lease', () => {
  it('is pinged as long as the lease is extended, again and again within its timeout', async () => {
    const end = bootMillis() + 2 * TIMEOUT_MILLIS;
    while (bootMillis() < end) {
      guard(inMillis(3 * TIMEOUT_MILLIS));
      await until('a while', () => true);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { pings } = device;
    const gaps = pings.slice(1).map((at, index) => at - (pings[index] ?? 0));
    expect(pings.length).toBeGreaterThan(4);
    expect(Math.max(...gaps)).toBeLessThan(TIMEOUT_MILLIS);
    expect(watchdog.state).toMatchObject({
      kind: 'open',
      order: { timeoutMillis: TIMEOUT_MILLIS },
    });
  });

  it('resets the host before a lease ends that nobody extends, and not long before', async () => {
    const end = inMillis(2 * TIMEOUT_MILLIS);
    guard(end);
    await until('past its end', () => bootMillis() > end);
    const resetsAt = device.resetsAt ?? Infinity;
    expect(resetsAt).toBeLessThan(end);
    expect(end - resetsAt).toBeLessThan(BUDGET_MILLIS + TIMEOUT_MILLIS / 4);
    expect(device.counts).toBe(true);
  });

  it('stops when it is told so, by the last thing that is written', async () => {
    guard(inMillis(3000));
    watchdog.release();
    await until('stopped', () => device.writes.at(-1)?.kind === 'stop');
    expect(watchdog.state).toEqual({ kind: 'closed' });
    expect(device.resetsAt).toBeUndefined();
  });

  it('is not opened when it would outlast the lease', async () => {
    const end = inMillis(TIMEOUT_MILLIS);
    expect(lastPingAt(end, BUDGET_MILLIS, TIMEOUT_MILLIS)).toBeLessThan(bootMillis());
    guard(end);
    expect(watchdog.state).toEqual({ kind: 'closed' });
    guard(inMillis(3000));
    expect(watchdog.state.kind).toBe('open');
    await until('written to', () => device.writes.length > 0);
    expect(device.writes[0]?.kind).toBe('set');
  });

  it('is given no ping for a lease that was shortened below its timeout', async () => {
    guard(inMillis(3000));
    await until('pinged', () => device.pings.length > 0);
    const before = device.pings.length;
    const end = inMillis(TIMEOUT_MILLIS);
    guard(end);
    await until('its end', () => bootMillis() > end);
    expect(device.pings.length).toBe(before);
  });

  it('is stopped, and opened anew, when another timeout is wanted', async () => {
    guard(inMillis(3000));
    watchdog.guard(device.order(2000), inMillis(4000), BUDGET_MILLIS);
    await until('opened twice', () => device.writes.length >= 5);
    expect(device.writes.map(({ kind }) => kind)).toEqual(['set', 'ping', 'stop', 'set', 'ping']);
    expect(device.timeoutMillis).toBe(2000);
  });

  it('is stopped when none is wanted any more', async () => {
    guard(inMillis(3000));
    watchdog.guard(undefined, inMillis(3000), BUDGET_MILLIS);
    await until('stopped', () => !device.counts && device.writes.length > 0);
    expect(watchdog.state).toEqual({ kind: 'closed' });
  });
});

describe('a watchdog device that fails', () => {
  it('is told of once, and used as soon as it works', async () => {
    device.unplug();
    guard(inMillis(3000));
    guard(inMillis(3000));
    expect(watchdog.state).toMatchObject({ kind: 'failed' });
    expect(changes).toBe(1);
    device.plugIn();
    guard(inMillis(3000));
    expect(watchdog.state).toMatchObject({ kind: 'open' });
    await until('pinged', () => device.pings.length > 0);
  });

  it('is noticed by the next ping when it is pulled out', async () => {
    guard(inMillis(10_000));
    await until('pinged', () => device.pings.length > 0);
    device.unplug();
    await until('failed', () => watchdog.state.kind === 'failed');
    expect(watchdog.state).toMatchObject({
      why: expect.stringContaining('does not take pings any more') as string,
    });
  });

  it('is not there', () => {
    const order = { ...device.order(1000), device: join(root, 'missing') };
    watchdog.guard(order, inMillis(3000), BUDGET_MILLIS);
    expect(watchdog.state).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('ENOENT') as string,
    });
  });
});

describe('a device of the kernel', () => {
  const written = (): string => readFileSync(join(root, 'device'), 'latin1');
  const guardReal = (attributes: string | undefined): void => {
    writeFileSync(join(root, 'device'), '');
    watchdog.guard(
      { device: join(root, 'device'), driver: 'default', timeoutMillis: 1000, attributes },
      inMillis(3000),
      BUDGET_MILLIS,
    );
  };

  it('is held when it shows the timeout that is wanted, and that it can be stopped', () => {
    guardReal(layOutAttributes(join(root, 'watchdog0'), { timeout: '1', nowayout: '0' }));
    expect(watchdog.state.kind).toBe('open');
    watchdog.release();
    expect(written()).toMatch(/^1+V$/);
  });

  it.each([
    ['another timeout', { timeout: '60', nowayout: '0' }, 'its timeout is 60 s instead of 1 s'],
    ['nowayout', { timeout: '1', nowayout: '1' }, 'nowayout is set'],
    ['no attributes', undefined, 'its timeout cannot be read'],
    ['a timeout that cannot be read', { nowayout: '0' }, 'ENOENT'],
  ])('with %s is let go again, stopped', (_, attributes, why) => {
    guardReal(attributes && layOutAttributes(join(root, 'watchdog0'), attributes));
    expect(watchdog.state).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining(why) as string,
    });
    expect(written()).toBe('V');
  });
});
