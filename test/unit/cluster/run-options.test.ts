import { describe, expect, it } from 'vitest';
import { FAULTS } from '../../cluster/faults/catalogue.ts';
import { renderRules } from '../../cluster/network.ts';
import { randomTrials } from '../../cluster/random-faults.ts';
import { readOptions, UsageError } from '../../cluster/run-options.ts';
import { combined } from '../../cluster/trial.ts';
import type { TrialOptions } from '../../cluster/trial.ts';

const take = (seed: number, count: number): TrialOptions[] => {
  const trials = randomTrials(seed);
  return Array.from({ length: count }, () => trials.next().value as TrialOptions);
};
const names = (trials: readonly TrialOptions[]): string[] =>
  trials.map(({ faults }) => faults.map(({ fault }) => fault.name).join(' + '));

describe('the command line of npm run chaos', () => {
  it('reads what is to be done', () => {
    expect(readOptions(['--fault', 'host-killed', '--rounds', '5'], 0)).toEqual({
      kind: 'named',
      names: ['host-killed'],
      rounds: 5,
      holdMillis: undefined,
      short: false,
      synchronousMode: 'off',
      jsonFile: undefined,
      keepLogs: false,
    });
    expect(
      readOptions(['--minutes', '10', '--seed', '7', '--json', 'x', '--synchronous', 'on'], 0),
    ).toEqual({
      kind: 'random',
      minutes: 10,
      seed: 7,
      synchronousMode: 'on',
      jsonFile: 'x',
      keepLogs: false,
    });
    expect(readOptions(['--all'], 0)).toMatchObject({ names: FAULTS.map(({ name }) => name) });
    expect(readOptions(['--list'], 0)).toEqual({ kind: 'list' });
  });

  it.each([
    [[]],
    [['--fault', 'no-such']],
    [['--rounds', '0', '--all']],
    [['--frobnicate']],
    [['--all', '--synchronous', 'yes']],
  ])('refuses %j', (args: string[]) => {
    expect(() => readOptions(args, 0)).toThrow(UsageError);
  });
});

describe('faults at random', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(names(take(7, 40))).toEqual(names(take(7, 40)));
    expect(names(take(7, 40))).not.toEqual(names(take(8, 40)));
  });

  it('come alone and in pairs', () => {
    const counts = new Set(take(1, 60).map(({ faults }) => faults.length));
    expect([...counts].toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  it('may cost together what each of them may cost, but never a stale write more', () => {
    const [first, second] = FAULTS;
    if (first === undefined || second === undefined) throw new Error('there are many');
    expect(combined([first])).toBe(first.allowance);
    expect(combined([first, second]).staleSpanMillis).toBe(
      Math.max(first.allowance.staleSpanMillis, second.allowance.staleSpanMillis),
    );
  });
});

describe('the catalogue', () => {
  it('names everything once', () => {
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  });

  it('holds no fault shorter in full than in npm test', () => {
    expect(FAULTS.filter(({ holdMillis: { short, full } }) => short > full)).toEqual([]);
  });
});

describe('the rules of the switch', () => {
  it('drop one direction, a share of it, or some ports of it', () => {
    const rules = renderRules([
      { from: 'pg1', to: 'pg2' },
      { from: 'pg2', to: 'pg1', percent: 15 },
      { from: 'pg3', to: 'pg1', ports: [8300, 8301] },
    ]);
    expect(rules.split('\n').filter((line) => line.includes('iifname'))).toEqual([
      '    iifname "pg1" oifname "pg2" drop',
      '    iifname "pg2" oifname "pg1" numgen random mod 100 < 15 drop',
      '    iifname "pg3" oifname "pg1" meta l4proto { tcp, udp } th sport { 8300, 8301 } drop',
      '    iifname "pg3" oifname "pg1" meta l4proto { tcp, udp } th dport { 8300, 8301 } drop',
    ]);
  });
});
