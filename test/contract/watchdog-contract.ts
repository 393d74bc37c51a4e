import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WatchdogSettings } from '../../src/core/settings.ts';
import type { WatchdogDevice } from '../../src/ports/watchdog.ts';

/** What a device is like, and what becomes of it. */
export interface WatchdogUnderTest {
  readonly port: WatchdogDevice;
  readonly settings: WatchdogSettings;
  /** Seconds that it is set to. */
  timeout(): number;
  /** Set by whoever loaded its driver. */
  set(given: {
    readonly least?: number;
    readonly longest?: number;
    readonly timeout?: number;
  }): void;
  /** It counts down, and nobody holds it: who held it was killed. */
  leaveCounting(): void;
  counts(): boolean;
  remove(): void;
  setNoWayOut(): void;
  close(): Promise<void>;
}

/** What the agent relies on, whatever device is behind the port. */
export function watchdogContract(title: string, open: () => Promise<WatchdogUnderTest>): void {
  describe(title, () => {
    let device: WatchdogUnderTest;

    beforeEach(async () => {
      device = await open();
    });
    afterEach(async () => {
      await device.close();
    });

    const prepare = async (seconds: number): Promise<string | number> => {
      const prepared = await device.port.prepare(device.settings, seconds * 1000);
      return prepared.ok ? prepared.value.timeoutMillis / 1000 : prepared.error.code;
    };

    test('sets the timeout, and answers what a guardian is to hold', async () => {
      const prepared = await device.port.prepare(device.settings, 2000);
      expect(prepared).toMatchObject({
        ok: true,
        value: { device: device.settings.device, driver: 'default', timeoutMillis: 2000 },
      });
      expect(device.timeout()).toBe(2);
      expect(device.counts()).toBe(false);
    });

    test('sets it anew, longer or shorter, as often as it is asked to', async () => {
      expect(await prepare(2)).toBe(2);
      expect(await prepare(2)).toBe(2);
      expect(await prepare(5)).toBe(5);
      expect(await prepare(1)).toBe(1);
      expect(device.timeout()).toBe(1);
    });

    test('takes its longest where it cannot count so long', async () => {
      device.set({ longest: 10 });
      expect(await prepare(25)).toBe(10);
    });

    test('refuses one that cannot count for so short a time', async () => {
      device.set({ least: 4 });
      expect(await prepare(2)).toBe('watchdog-timeout');
      expect(device.counts()).toBe(false);
    });

    test('stops one that counts down and is held by nobody', async () => {
      device.leaveCounting();
      expect(await prepare(2)).toBe(2);
      expect(device.counts()).toBe(false);
    });

    test('refuses one that could not be stopped, and does not open it', async () => {
      device.setNoWayOut();
      expect(await prepare(2)).toBe('watchdog-nowayout');
      expect(device.counts()).toBe(false);
    });

    test('says that there is none', async () => {
      device.remove();
      expect(await prepare(2)).toBe('watchdog-missing');
    });
  });
}
