import { describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { simulate } from './simulate.ts';
import type { Outcome } from './simulate.ts';
import { FAULTS } from './faults.ts';
import { traceFile } from './trace-file.ts';

/**
 * SIM_SEED=7 runs one seed, SIM_SEEDS=1000-1999 a range, SIM_TRACE=/tmp/trace.log keeps the whole
 * trace, SIM_FAULTS=kill-agent,pause-host replaces what the seed draws.
 */
const one = process.env['SIM_SEED'];
const [first = 1, last = first] = (one ?? process.env['SIM_SEEDS'] ?? '1-60')
  .split('-')
  .map(Number);
const wanted = process.env['SIM_FAULTS']?.split(',');
const kinds = wanted === undefined ? undefined : FAULTS.filter((kind) => wanted.includes(kind));

interface OpenSeed {
  readonly seed: number;
  readonly note: string;
}

const { open } = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as {
  readonly open: readonly OpenSeed[];
};

describe('random faults', () => {
  test(`seeds ${first} to ${last}: always safe, and whole again after healing`, async () => {
    const begun = performance.now();
    const failed: Outcome[] = [];
    const all: Outcome[] = [];
    for (let seed = first; seed <= last; seed += 1) {
      const known = one === undefined ? open.find((entry) => entry.seed === seed) : undefined;
      if (known !== undefined) {
        console.log(`seed ${seed} is open: ${known.note}`);
        continue;
      }
      const outcome = await simulate(seed, {
        onTrace: one === undefined ? undefined : traceFile(),
        kinds,
      });
      all.push(outcome);
      if (outcome.failure === undefined) continue;
      failed.push(outcome);
      console.log(
        [`seed ${seed}: ${outcome.failure}`, outcome.plan, ...outcome.state].join('\n  '),
      );
    }
    console.log(summary(all, performance.now() - begun));
    const worst = failed[0];
    expect(worst === undefined ? '' : describeFailure(worst)).toBe('');
  }, 3_600_000);
});

function describeFailure(outcome: Outcome): string {
  return [
    `seed ${outcome.seed}: ${outcome.failure}`,
    outcome.plan,
    ...outcome.lastLines,
    ...outcome.state,
  ].join('\n');
}

function summary(all: readonly Outcome[], tookMillis: number): string {
  const sum = (pick: (outcome: Outcome) => number): number =>
    all.reduce((total, outcome) => total + pick(outcome), 0);
  const virtual = sum((outcome) => outcome.virtualMillis);
  const served = all.map((outcome) => outcome.servedAfterMillis ?? 0);
  const whole = all.map((outcome) => outcome.wholeAfterMillis ?? 0);
  return [
    `${all.length} seeds, ${all.filter(({ failure }) => failure !== undefined).length} failed`,
    `${Math.round(virtual / 1000)} cluster seconds in ${Math.round(tookMillis / 1000)} s: ${Math.round(virtual / tookMillis)} per second, ${sum(({ events }) => events)} events`,
    `after healing: writes within ${Math.round(Math.max(...served))} ms, whole within ${Math.round(Math.max(...whole))} ms`,
    `${sum(({ generations }) => generations)} generations, ${sum(({ writes }) => writes)} writes, ${sum(({ lost }) => lost)} lost with asynchronous replication`,
  ].join('\n');
}
