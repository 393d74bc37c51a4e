import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSeedBook, saveSeeds } from './seeds.ts';
import { simulate } from './simulate.ts';

/** The first few of those that `npm run sim` runs, where a debugger and the coverage reach them. */
const BOOK = readSeedBook(new URL('seeds.json', import.meta.url).pathname);
const SEEDS = [1, 2, 3, 4, 5, 6].filter((seed) => BOOK.open.every((open) => open.seed !== seed));

describe('random faults', () => {
  test.each(SEEDS)('seed %i: always safe, and whole again after healing', async (seed) => {
    const outcome = await simulate(seed);
    const story = [outcome.plan, ...outcome.lastLines, ...outcome.state].join('\n');
    expect(outcome.failure, story).toBeUndefined();
  });
});

describe('the book of seeds', () => {
  let folder = '';
  let path = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgbaton-seeds-'));
    path = join(folder, 'seeds.json');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (book: unknown): void => {
    writeFileSync(path, JSON.stringify(book));
  };

  test('of this repository can be read', () => {
    const seeds = [...BOOK.regressions, ...BOOK.open];
    expect(new Set(seeds.map((kept) => JSON.stringify(kept))).size).toBe(seeds.length);
  });

  test('takes up what has failed, once', () => {
    write({ regressions: [{ seed: 1, note: 'known' }], open: [] });
    const failed = [
      { seed: 1, note: 'again' },
      { seed: 2, faults: ['isolate' as const], members: 5, note: 'A at 7: two accept writes' },
    ];
    expect(saveSeeds(path, failed, [])).toEqual({ opened: 1, closed: 0 });
    expect(saveSeeds(path, failed, [])).toEqual({ opened: 0, closed: 0 });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      regressions: [{ seed: 1, note: 'known' }],
      open: [failed[1]],
    });
  });

  test('moves what was open and passes to the regressions', () => {
    const [one, other] = [
      { seed: 1, note: 'why' },
      { seed: 2, note: 'why not' },
    ];
    write({ regressions: [], open: [one, other] });
    expect(saveSeeds(path, [], [one])).toEqual({ opened: 0, closed: 1 });
    expect(readSeedBook(path)).toEqual({ regressions: [one], open: [other] });
  });

  test.each([
    ['a seed that is no number', { regressions: [{ seed: 'x', note: 'n' }], open: [] }],
    [
      'a fault that does not exist',
      { regressions: [], open: [{ seed: 1, faults: ['rain'], note: 'n' }] },
    ],
    ['a key that nobody knows', { regressions: [], open: [], closed: [] }],
    ['a seed without a note', { regressions: [], open: [{ seed: 1 }] }],
  ])('refuses %s, and names the file', (_what, book) => {
    write(book);
    expect(() => readSeedBook(path)).toThrow(path);
  });
});
