import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, readdir, readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Failure, Result } from '../../core/result.ts';
import { done, fail, failure, ok } from '../../core/result.ts';
import type { WatchdogSettings } from '../../core/settings.ts';
import type { Millis } from '../../core/time.ts';
import type { WatchdogOrder } from '../../core/watchdog.ts';
import type { WatchdogDevice } from '../../ports/watchdog.ts';

/*
 * Node has no ioctl(2). What a device is, the kernel shows as files; its timeout is set by wdctl(8) of
 * util-linux, which opens the device for that and closes it so that it stops. Sources: the kernel's
 * Documentation/watchdog/watchdog-api.rst, Documentation/ABI/testing/sysfs-class-watchdog.
 */

const CLASS = '/sys/class/watchdog';
/** The device without a number is another name of the first one. Source: the kernel's devices.txt. */
const UNNUMBERED = '10:130';
const TOOL_TIMEOUT_MILLIS: Millis = 5000;
const STOP = 'V';

export interface WatchdogDeviceOptions {
  /** By default the kernel's. */
  readonly attributesRoot?: string;
  /** By default wdctl. */
  readonly tool?: string;
}

const run = promisify(execFile);

export function createWatchdogDevice(options: WatchdogDeviceOptions = {}): WatchdogDevice {
  const { attributesRoot = CLASS, tool = 'wdctl' } = options;
  return {
    async prepare(settings, timeoutMillis) {
      const { device, driver } = settings;
      const reachable = await checkAccess(device);
      if (!reachable.ok) return reachable;
      if (driver === 'testing') {
        return ok({ device, driver, timeoutMillis, attributes: undefined });
      }
      const attributes = await findAttributes(attributesRoot, device);
      if (attributes === undefined) {
        return fail(
          'watchdog-not-a-device',
          `${device} is no watchdog device that the kernel shows below ${attributesRoot}`,
          'set watchdog.device to one that does, for example /dev/watchdog0',
        );
      }
      return setUp(settings, attributes, timeoutMillis, tool);
    },
  };
}

async function checkAccess(device: string): Promise<Result<void>> {
  try {
    await access(device, constants.W_OK);
    return done;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return fail(
        'watchdog-missing',
        `${device} does not exist`,
        'load the driver of the hardware, or the one in software: modprobe softdog',
      );
    }
    const reason = code === 'EACCES' ? `${userInfo().username} may not write to it` : message;
    return fail(
      'watchdog-forbidden',
      `${device} cannot be used: ${reason}`,
      'give it to the user that runs pgbaton by a udev rule, as README.md shows',
    );
  }
}

/** Source: the macros of makedev(3). */
function deviceNumber(rdev: number): string {
  const low = rdev % 2 ** 32;
  const major = ((low >>> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff);
  const minor = (low & 0xff) | ((low >>> 12) & ~0xff);
  return `${major}:${minor}`;
}

async function findAttributes(root: string, device: string): Promise<string | undefined> {
  const number = deviceNumber((await stat(device)).rdev);
  const names = await readdir(root).catch((): string[] => []);
  for (const name of names) {
    if ((await readAttribute(join(root, name), 'dev')) === number) return join(root, name);
  }
  return number === UNNUMBERED && names.includes('watchdog0') ? join(root, 'watchdog0') : undefined;
}

const readAttribute = async (attributes: string, name: string): Promise<string | undefined> =>
  readFile(join(attributes, name), 'latin1').then(
    (text) => text.trim(),
    () => undefined,
  );

async function readSeconds(attributes: string, name: string): Promise<number | undefined> {
  const text = await readAttribute(attributes, name);
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

async function setUp(
  { device, driver }: WatchdogSettings,
  attributes: string,
  wantedMillis: Millis,
  tool: string,
): Promise<Result<WatchdogOrder>> {
  const nowayout = await readAttribute(attributes, 'nowayout');
  if (nowayout === undefined) {
    return fail(
      'watchdog-unknown',
      `${device} cannot be used: the kernel does not show what it is set to in ${attributes}`,
      'use a kernel that does (CONFIG_WATCHDOG_SYSFS), as those of the distributions',
    );
  }
  if (nowayout !== '0') {
    return fail(
      'watchdog-nowayout',
      `${device} cannot be stopped once it is open (nowayout)`,
      'load its driver with nowayout=0',
    );
  }
  const stopped = await stopIfCounting(device, attributes);
  if (!stopped.ok) return stopped;
  const longest = await readSeconds(attributes, 'max_timeout');
  const wanted = wantedMillis / 1000;
  const seconds =
    longest === undefined || longest === 0 ? wanted : Math.min(wanted, Math.max(1, longest));
  if ((await readSeconds(attributes, 'timeout')) !== seconds) {
    const set = await setTimeoutBy(tool, device, seconds);
    if (!set.ok) return set;
  }
  const found = await readSeconds(attributes, 'timeout');
  if (found === undefined || found < 1 || found > wanted) {
    return fail(
      'watchdog-timeout',
      `${device} cannot be set to ${wanted} s: it is at ${found ?? 'an unknown number of'} s`,
      'raise ttl, or use a device that counts so short a time, as softdog does',
    );
  }
  return ok({ device, driver, timeoutMillis: found * 1000, attributes });
}

/** A guardian that was killed leaves it counting. Nobody else can open it while somebody holds it. */
async function stopIfCounting(device: string, attributes: string): Promise<Result<void>> {
  if ((await readAttribute(attributes, 'state')) !== 'active') return done;
  try {
    const file = await open(device, constants.O_WRONLY);
    try {
      await file.write(STOP);
    } finally {
      await file.close();
    }
    return done;
  } catch (error) {
    return { ok: false, error: openFailure(device, error) };
  }
}

/** What it means that a device which can be written to cannot be opened. */
export function openFailure(device: string, error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EBUSY') {
    return failure(
      'watchdog-busy',
      `another program holds ${device}`,
      'if it is systemd, remove RuntimeWatchdogSec from its system.conf and run systemctl daemon-reexec; else stop that program, or set watchdog.device to another one',
    );
  }
  return failure('watchdog-unusable', `${device} cannot be opened: ${message}`);
}

async function setTimeoutBy(tool: string, device: string, seconds: number): Promise<Result<void>> {
  try {
    await run(tool, ['--settimeout', String(seconds), device], {
      timeout: TOOL_TIMEOUT_MILLIS,
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: 'C' },
    });
    return done;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      return fail(
        'watchdog-tool-missing',
        `${device} cannot be set to ${seconds} s: there is no wdctl`,
        'install util-linux, or load the driver with that timeout',
      );
    }
    return fail(
      'watchdog-timeout',
      `${device} cannot be set to ${seconds} s: ${said(error) ?? message}`,
      'if another program holds it, stop that; else raise ttl, or use a device that counts so short a time',
    );
  }
}

function said(error: unknown): string | undefined {
  const { stderr } = error as { readonly stderr?: unknown };
  return typeof stderr === 'string' && stderr.trim() !== '' ? stderr.trim() : undefined;
}
