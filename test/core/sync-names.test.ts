import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSyncNames, parseSyncNames } from '../../src/core/sync-names.ts';

describe('synchronous_standby_names', () => {
  const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0'));
  const names = fc.uniqueArray(name, { minLength: 1, maxLength: 5 });

  test('reads back what it writes, whatever the names are', () => {
    fc.assert(
      fc.property(fc.constantFrom('first', 'any'), names, fc.nat(4), (kind, list, extra) => {
        const wanted = { kind, names: list, count: 1 + (extra % list.length) } as const;
        expect(parseSyncNames(formatSyncNames(wanted))).toEqual(wanted);
      }),
    );
    expect(parseSyncNames('')).toEqual({ kind: 'none' });
    expect(formatSyncNames({ kind: 'none' })).toBe('');
  });

  test.each([
    ['pg1', 'first', 1, ['pg1']],
    ['pg1, pg2', 'first', 1, ['pg1', 'pg2']],
    ['2 (pg1,"PG 2")', 'first', 2, ['pg1', 'PG 2']],
    ['FIRST 2 (pg1, pg2)', 'first', 2, ['pg1', 'pg2']],
    ['any 1 ("pg1","pg2")', 'any', 1, ['pg1', 'pg2']],
    ['*', 'first', 1, ['*']],
  ])('%s', (text, kind, count, list) => {
    expect(parseSyncNames(text)).toEqual({ kind, count, names: list });
  });

  test.each(['ANY 1 ()', '0 (a)', 'a b', 'a,', '2 (a', '"a', 'ANY (a)'])('refuses %s', (text) => {
    expect(parseSyncNames(text)).toBeUndefined();
  });
});
