import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { ServiceManager } from '../../src/adapters/system/service-manager.ts';
import { RunDirectory } from '../../src/demo/run-directory.ts';
import { eventually } from '../harness/cluster.ts';
import { NotifyReceiver } from '../harness/notify-receiver.ts';

/* The messages through the real systemd-notify and a real socket, read as systemd reads them. */

let run: RunDirectory;
let receiver: NotifyReceiver;
beforeAll(async () => {
  run = new RunDirectory('notify');
  receiver = await NotifyReceiver.listen(join(run.path, 'notify'));
});
afterAll(() => {
  receiver?.close();
  run?.remove();
});

function createManager(socket: string, warnings: string[] = []): ServiceManager {
  return new ServiceManager({
    environment: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '30000000' },
    clock: systemClock,
    logger: { log: (level, message) => warnings.push(`${level}: ${message}`) },
    hide: (text) => text,
  });
}

const leading = (why: string) => ({
  up: () => true,
  status: `R350 leading: ${why}`,
  quietMillis: 6000,
});

test('what is said arrives, in whole and in its order', async () => {
  const manager = createManager(receiver.socket);
  manager.decided(leading('«pg2» streams; a=b, "c" \\d $e'));
  manager.reloading();
  await eventually('the reload', () => receiver.count('RELOADING') === 1);
  manager.reloaded();
  await eventually('its end', () => receiver.count('READY') === 2);
  manager.stopping();
  await eventually('the stop', () => receiver.count('STOPPING') === 1);
  const [first] = receiver.notifications;
  expect(Object.fromEntries(first?.variables ?? [])).toEqual({
    READY: '1',
    STATUS: 'R350 leading: «pg2» streams; a=b, "c" \\d $e',
    WATCHDOG: '1',
  });
  expect(receiver.notifications.flatMap(({ variables }) => [...variables.keys()])).toEqual([
    'READY',
    'STATUS',
    'WATCHDOG',
    'RELOADING',
    'MONOTONIC_USEC',
    'READY',
    'STOPPING',
  ]);
});

test('a socket that nobody reads is one warning', async () => {
  const warnings: string[] = [];
  const manager = createManager(join(run.path, 'nobody'), warnings);
  manager.decided(leading('pg2 streams'));
  await eventually('the warning', () => warnings.length > 0);
  manager.stopping();
  expect(warnings).toEqual([
    'warn: systemd was not told: Failed to notify init system: No such file or directory',
  ]);
});
