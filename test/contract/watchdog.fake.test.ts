import { FakeWatchdog } from '../harness/fake-watchdog.ts';
import { aWatchdog } from '../harness/settings.ts';
import { watchdogContract } from './watchdog-contract.ts';

watchdogContract('the fake watchdog device', () => {
  const device = new FakeWatchdog(
    () => () => undefined,
    () => undefined,
  );
  return Promise.resolve({
    port: { prepare: (...wanted) => Promise.resolve(device.prepare(...wanted)) },
    settings: aWatchdog('required'),
    timeout: () => device.timeoutMillis / 1000,
    set: ({ least, longest, timeout }) => {
      if (least !== undefined) device.leastMillis = least * 1000;
      if (longest !== undefined) device.longestMillis = longest * 1000;
      if (timeout !== undefined) device.timeoutMillis = timeout * 1000;
    },
    leaveCounting: () => {
      const { timeoutMillis } = device;
      device.open({ device: '', driver: 'default', timeoutMillis, attributes: '' });
      device.holderDied();
    },
    counts: () => device.counts,
    remove: () => {
      device.trouble = 'missing';
    },
    setNoWayOut: () => {
      device.trouble = 'nowayout';
    },
    close: () => Promise.resolve(),
  });
});
