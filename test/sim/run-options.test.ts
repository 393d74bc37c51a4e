import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MockInstance } from 'vitest';
import { parseRunOptions } from './run-options.ts';
import type { RunOptions } from './run-options.ts';

let stderr: MockInstance;
let stdout: MockInstance;

beforeEach(() => {
  stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const said = (spy: MockInstance): string => spy.mock.calls.map(([text]) => String(text)).join('');

function optionsOf(...argv: string[]): RunOptions {
  const parsed = parseRunOptions(argv);
  if (parsed.kind !== 'options') throw new Error(said(stderr));
  return parsed.options;
}

describe('the command line of the simulator', () => {
  test.each([
    ['an option that does not exist', ['--seeed', '7'], 'unknown option'],
    ['an argument that nobody asked for', ['7'], 'too many arguments'],
    ['a seed that is no number', ['--seed', 'seven'], 'whole number from 0 to 4294967295'],
    ['a seed below 0', ['--seed', '-1'], 'whole number'],
    ['a seed that is too large', ['--seed', '4294967296'], 'whole number'],
    ['a range that is empty', ['--seeds', '9-3'], 'The range is empty'],
    ['a range without an end', ['--seeds', '9'], 'Expected A-B'],
    ['no minutes', ['--minutes', '0'], 'number above 0'],
    ['a fault that does not exist', ['--faults', 'isolate,rain'], 'There is no fault "rain"'],
    ['no members', ['--members', '0'], 'whole number from 1'],
    ['no workers', ['--workers', '0'], 'whole number from 1'],
    ['seeds and minutes', ['--seed', '1', '--minutes', '1'], 'cannot be used with'],
    ['a seed and a range', ['--seed', '1', '--seeds', '1-2'], 'cannot be used with'],
    ['a trace of many seeds', ['--seeds', '1-2', '--trace'], '--trace needs --seed'],
    ['a journal and a seed', ['--journal', 'f', '--seed', '1'], 'cannot be used with'],
  ])('refuses %s', (_what, argv, message) => {
    expect(parseRunOptions(argv)).toEqual({ kind: 'said', exitCode: 2 });
    expect(said(stderr)).toContain(message);
  });

  test('explains itself and is content', () => {
    expect(parseRunOptions(['--help'])).toEqual({ kind: 'said', exitCode: 0 });
    expect(said(stdout)).toContain('npm run sim -- --minutes 30');
  });

  test('takes a seed, faults and members', () => {
    const { seeds, single, faults, members, trace } = optionsOf(
      '--seed=7',
      '--faults=isolate,wipe-store',
      '--members=5',
      '--trace',
    );
    expect({ seeds, single, faults, members, trace }).toEqual({
      seeds: { first: 7, last: 7 },
      single: true,
      faults: ['isolate', 'wipe-store'],
      members: 5,
      trace: '-',
    });
  });

  test('runs one process for each core, at most four, unless told', () => {
    expect(optionsOf().workers).toBeGreaterThanOrEqual(1);
    expect(optionsOf().workers).toBeLessThanOrEqual(4);
    expect(optionsOf('--workers', '9').workers).toBe(9);
  });

  test('takes the names of mutants, or all', () => {
    expect(optionsOf('--mutants').mutants).toEqual([]);
    expect(optionsOf('--mutants', 'no-guardian,early').mutants).toEqual(['no-guardian', 'early']);
    expect(optionsOf().mutants).toBeUndefined();
  });
});
