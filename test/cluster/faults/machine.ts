import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ProcessHandle } from '../../../src/demo/process-handle.ts';
import { until } from '../../../src/demo/wait.ts';
import type { Fault } from '../fault.ts';
import { NOTHING, SAFE } from './allowances.ts';

/** Where Debian puts the library that gives one process a wall clock of its own. */
export function libfaketime(): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`;
}

const ADOPTION_TIMEOUT_MILLIS = 15_000;
const JUMPS = ['+3600', '-3600'] as const;

/** The machine itself: its disk, its clock, its processors. */
export const MACHINE_FAULTS: readonly Fault[] = [
  {
    name: 'disk-full',
    what: 'the filesystem of the primary’s data directory is filled, then emptied',
    holdMillis: { short: 6_000, full: 20_000 },
    allowance: SAFE,
    begin: async ({ primary }) => {
      primary.fillDisk();
      return async () => {
        primary.emptyDisk();
        return Promise.resolve();
      };
    },
  },
  {
    name: 'cpu-load',
    what: 'twice as many busy processes as there are processors',
    holdMillis: { short: 6_000, full: 60_000 },
    allowance: { ...NOTHING, gapMillis: 3_000 },
    begin: async ({ cluster: { run } }) => {
      const busy = Array.from(
        { length: 2 * availableParallelism() },
        (_, index) =>
          new ProcessHandle({
            name: `busy${index}`,
            program: process.execPath,
            // The last argument says whose it is.
            args: ['-e', 'for (;;);', run.path],
            logFile: run.logFile('busy'),
          }),
      );
      return Promise.resolve(async () => {
        await Promise.all(busy.map(async (each) => each.kill()));
      });
    },
  },
  {
    name: 'wall-clock-jumps',
    what: 'the wall clock of the primary’s agent goes an hour ahead, then two back',
    holdMillis: { short: 2_000, full: 15_000 },
    allowance: NOTHING,
    impossible: () =>
      existsSync(libfaketime())
        ? undefined
        : 'a namespace has no clock of its own: apt-get install libfaketime',
    begin: async ({ cluster: { run, witness }, primary }) => {
      const file = join(run.path, 'wall-clock');
      writeFileSync(file, '+0\n');
      // The agent is the only process that a jump can be done to, and only if it was started for it.
      await primary.crashAgentInto({
        LD_PRELOAD: libfaketime(),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
      await until('the agent leading again', async () => primary.member.answers('/primary'), {
        timeoutMillis: ADOPTION_TIMEOUT_MILLIS,
      });
      await witness.whenServing(primary, ADOPTION_TIMEOUT_MILLIS);
      writeFileSync(file, `${JUMPS[0]}\n`);
      return async () => {
        writeFileSync(file, `${JUMPS[1]}\n`);
        // Beside another fault nobody may serve; whether the cluster becomes whole is asked afterwards.
        await witness.whenServing(primary, ADOPTION_TIMEOUT_MILLIS).catch(() => undefined);
        await primary.crashAgentInto({});
      };
    },
  },
];
