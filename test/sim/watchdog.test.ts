import { expect, test } from 'vitest';
import type { FaultKind } from './faults.ts';
import { DENSE } from './mutants/plans.ts';
import { simulate } from './simulate.ts';

/** Failures of so many seeds, and how often a device had to reset a host. */
async function tormented(
  kinds: readonly FaultKind[],
  seeds: number,
): Promise<{ readonly failures: readonly string[]; readonly resets: number }> {
  const failures: string[] = [];
  let resets = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await simulate(seed, {
      kinds,
      plan: { ...DENSE, watchdog: 'required' },
      onTrace: (line) => {
        if (line.includes('is reset by its watchdog')) resets += 1;
      },
    });
    if (outcome.failure !== undefined) failures.push(`${seed}: ${outcome.failure}`);
  }
  return { failures, resets };
}

// A3 does not hold: neither the agent nor the guardian gets to run, and Postgres does.
test.each([
  ['and the network is cut, or the agent alone stands still', ['isolate', 'pause-agent']],
  ['and devices fail', ['watchdog-trouble', 'switchover']],
  ['and guardians die', ['kill-guardian', 'kill-agent']],
  ['and whole hosts stand still', ['pause-host', 'late-timers']],
] as const)(
  'nothing is writable past its lease where agent and guardian stand still, %s',
  async (_, others) => {
    const { failures, resets } = await tormented(['pause-guards', ...others], 8);
    expect(failures).toEqual([]);
    expect(resets).toBeGreaterThan(0);
  },
);
