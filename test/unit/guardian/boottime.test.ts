import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bootMillis, createBootClock, suspendedMillis } from '../../../src/guardian/boottime.ts';

/** A host whose two clocks are read as the kernel shows them: one exact, one in steps of 10 ms. */
class Host {
  monotonic = 5_000;
  suspended: number;
  /** Each look costs this much. */
  readonly lookMillis: number;
  roundingMillis = 0;

  constructor(suspended: number, lookMillis = 0.01) {
    this.suspended = suspended;
    this.lookMillis = lookMillis;
  }

  readonly sources = {
    monotonicMillis: (): number => {
      this.monotonic += this.lookMillis;
      return this.monotonic;
    },
    uptimeMillis: (): number => {
      this.monotonic += this.lookMillis;
      return Math.floor((this.boot() + this.roundingMillis) / 10) * 10;
    },
  };

  boot(): number {
    return this.monotonic + this.suspended;
  }
}

describe('the boot-time clock', () => {
  it('is the monotonic clock on a host that was never suspended', () => {
    const host = new Host(0);
    const clock = createBootClock(host.sources);
    host.monotonic += 1234.5;
    expect(clock.bootMillis()).toBe(host.monotonic);
    expect(clock.suspendedMillis()).toBe(0);
  });

  it.each([77.7, 3_600_123.4])(
    'counts a suspend of %d ms before the process started, to a fraction of a tick',
    (suspended) => {
      const host = new Host(suspended);
      const clock = createBootClock(host.sources);
      expect(Math.abs(clock.bootMillis() - host.boot())).toBeLessThan(0.1);
    },
  );

  it('follows a suspend at the first look after it', () => {
    const host = new Host(0);
    const clock = createBootClock(host.sources);
    const before = clock.bootMillis();
    host.suspended += 60_000;
    expect(clock.bootMillis() - before).toBeGreaterThan(59_999);
    expect(Math.abs(clock.bootMillis() - host.boot())).toBeLessThan(0.1);
    expect(clock.suspendedMillis()).toBeGreaterThan(59_999);
  });

  it('agrees with the clock of a process that started at another time, after a suspend too', () => {
    const host = new Host(12_345.6);
    const first = createBootClock(host.sources);
    host.monotonic += 777;
    const second = createBootClock(host.sources);
    host.suspended += 5_000;
    for (const clock of [first, second]) {
      expect(Math.abs(clock.bootMillis() - host.boot())).toBeLessThan(0.1);
    }
  });

  it('takes neither an interruption between two looks nor a rounded uptime for a suspend', () => {
    const host = new Host(0);
    const clock = createBootClock(host.sources);
    const { uptimeMillis } = host.sources;
    host.sources.uptimeMillis = () => {
      host.monotonic += 250;
      return uptimeMillis();
    };
    const interrupted = createBootClock(host.sources);
    expect(Math.abs(interrupted.bootMillis() - host.boot())).toBeLessThan(0.1);
    host.roundingMillis = 9;
    expect(Math.abs(clock.bootMillis() - host.boot())).toBeLessThan(0.1);
  });

  it('never goes back while it is read on a live host, and stays beside /proc/uptime', () => {
    let last = bootMillis();
    const end = last + 50;
    while (last < end) {
      const next = bootMillis();
      expect(next).toBeGreaterThanOrEqual(last);
      last = next;
    }
    const before = bootMillis();
    const uptime = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;
    // It is told in steps of 10 ms, and this process may stand still for any time meanwhile.
    expect(uptime).toBeGreaterThan(before - 20);
    expect(uptime).toBeLessThan(bootMillis() + 20);
    expect(suspendedMillis()).toBeGreaterThanOrEqual(0);
  });

  it('is the monotonic clock where the host does not tell its uptime', () => {
    const clock = createBootClock({ monotonicMillis: () => 42, uptimeMillis: undefined });
    expect([clock.bootMillis(), clock.suspendedMillis()]).toEqual([42, 0]);
  });
});
