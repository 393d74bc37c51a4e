import { afterAll, beforeAll } from 'vitest';
import { instant } from '../../src/core/time.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { signalExactly } from '../../src/guardian/procfs.ts';
import type { ProcessIdentity } from '../../src/guardian/procfs.ts';
import { GuardianBench } from '../harness/guardian-bench.ts';
import { clearFakeServer } from '../harness/guardian-fake-server.ts';
import { compileGuardian, until } from '../harness/guardian-program.ts';
import type { GuardianProgram } from '../harness/guardian-program.ts';
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
  let parent: ProcessIdentity | undefined;
  return {
    connect: () => bench.connect(),
    command: bench.server.command,
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
    close: () => bench.close(),
  };
});
