import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createWatchdogDevice, openFailure } from '../../src/adapters/system/watchdog-device.ts';
import { aWatchdog } from '../harness/settings.ts';
import { layOutAttributes } from '../harness/watchdog-device.ts';
import { watchdogContract } from './watchdog-contract.ts';
import type { WatchdogUnderTest } from './watchdog-contract.ts';

const TOOL = fileURLToPath(new URL('../harness/wdctl.mjs', import.meta.url));

/** Files for what the kernel shows, and a file for the device: what only a real one does is missing. */
function layOut(): WatchdogUnderTest & { readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), 'pgbaton-watchdog-'));
  const device = join(root, 'watchdog');
  const attributes = join(root, 'class', 'watchdog0');
  const put = (name: string, value: number | string): void => {
    layOutAttributes(attributes, { [name]: String(value) });
  };
  writeFileSync(device, '');
  for (const [name, value] of Object.entries({
    // Of a file that is no device.
    dev: '0:0',
    nowayout: 0,
    state: 'inactive',
    timeout: 60,
    max_timeout: 0,
    driver_least: 1,
  })) {
    put(name, value);
  }
  return {
    root,
    port: createWatchdogDevice({ attributesRoot: join(root, 'class'), tool: TOOL }),
    settings: { ...aWatchdog('required'), device },
    timeout: () => Number(readFileSync(join(attributes, 'timeout'), 'latin1')),
    set: ({ least, longest, timeout }) => {
      if (least !== undefined) put('driver_least', least);
      if (longest !== undefined) put('max_timeout', longest);
      if (timeout !== undefined) put('timeout', timeout);
    },
    leaveCounting: () => {
      put('state', 'active');
      writeFileSync(device, '1');
    },
    // Whatever was written to it, it stops only for this.
    counts: () => /[^V]$/.test(readFileSync(device, 'latin1')),
    remove: () => {
      rmSync(device);
    },
    setNoWayOut: () => {
      put('nowayout', 1);
    },
    close: () => {
      rmSync(root, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

watchdogContract('a watchdog device as the kernel shows it', () => Promise.resolve(layOut()));

describe('a watchdog device that cannot be used', () => {
  const codeOf = async (at: ReturnType<typeof layOut>, tool = TOOL): Promise<string> => {
    const port = createWatchdogDevice({ attributesRoot: join(at.root, 'class'), tool });
    const prepared = await port.prepare(at.settings, 2000);
    await at.close();
    return prepared.ok ? 'ok' : `${prepared.error.code}: ${prepared.error.message}`;
  };

  test('because it is no device', async () => {
    const at = layOut();
    layOutAttributes(join(at.root, 'class', 'watchdog0'), { dev: '247:0' });
    expect(await codeOf(at)).toContain('watchdog-not-a-device');
  });

  test('because the kernel shows nothing of it', async () => {
    const at = layOut();
    rmSync(join(at.root, 'class', 'watchdog0', 'nowayout'));
    expect(await codeOf(at)).toMatch(/^watchdog-unknown: .* does not show what it is set to in/);
  });

  test('because nothing can set it', async () => {
    expect(await codeOf(layOut(), '/missing/wdctl')).toContain('watchdog-tool-missing');
  });

  test('is used without anything that sets it where its driver was loaded so', async () => {
    const at = layOut();
    at.set({ timeout: 2 });
    expect(await codeOf(at, '/missing/wdctl')).toBe('ok');
  });

  test('because of what that says', async () => {
    const at = layOut();
    at.set({ least: 5 });
    expect(await codeOf(at)).toMatch(/cannot be set to 2 s: wdctl: cannot set timeout .* Invalid/);
  });

  test.skipIf(process.getuid?.() === 0)('because it belongs to another user', async () => {
    const at = layOut();
    chmodSync(at.settings.device, 0o400);
    expect(await codeOf(at)).toContain('watchdog-forbidden');
  });

  test('because another program holds it: which one that may be, and what to do', () => {
    const error = Object.assign(new Error('busy'), { code: 'EBUSY' });
    expect(openFailure('/dev/watchdog', error)).toMatchObject({
      code: 'watchdog-busy',
      message: 'another program holds /dev/watchdog',
      remedy: expect.stringContaining('RuntimeWatchdogSec') as string,
    });
  });

  test('a named pipe of a test is taken as it is', async () => {
    const at = layOut();
    const settings = { ...at.settings, driver: 'testing' } as const;
    const prepared = await createWatchdogDevice().prepare(settings, 2000);
    expect(prepared).toMatchObject({ ok: true, value: { driver: 'testing', timeoutMillis: 2000 } });
    await at.close();
  });
});
