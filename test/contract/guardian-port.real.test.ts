import { afterAll, beforeAll } from 'vitest';
import { instant } from '../../src/core/time.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { signalExactly } from '../../src/guardian/procfs.ts';
import type { ProcessIdentity } from '../../src/guardian/procfs.ts';
import { GuardianBench } from '../harness/guardian-bench.ts';
import { clearFakeServer } from '../harness/guardian-fake-server.ts';
import { compileGuardian, until } from '../harness/guardian-program.ts';
import type { GuardianProgram } from '../harness/guardian-program.ts';
import { FakeWatchdogDevice } from '../harness/watchdog-device.ts';
import { guardianContract } from './guardian-contract.ts';

let program: GuardianProgram;
beforeAll(() => {
  program = compileGuardian();
});
afterAll(() => {
  program.remove();
});

guardianContract('the guardian process', async () => {
  const bench = new GuardianBench(program);
  const device = new FakeWatchdogDevice(bench.root);
  let parent: ProcessIdentity | undefined;
  return {
    connect: () => bench.connect(),
    command: bench.server.command,
    watchdog: {
      order: (timeoutMillis) => device.order(timeoutMillis),
      counts: () => device.counts,
      pings: () => device.pings.length,
      unplug: () => {
        device.unplug();
      },
    },
    now: () => instant(bootMillis()),
    answer: (call) => call,
    until,
    ready: async () => {
      [parent] = await bench.server.processes();
      clearFakeServer(bench.server);
    },
    crashServer: () => {
      if (parent !== undefined) signalExactly(parent, 'SIGKILL');
    },
    close: async () => {
      device.unplug();
      await bench.close();
    },
  };
});
