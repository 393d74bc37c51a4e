import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { parseHostPort, parseListen } from '../../../src/wire/config/addresses.ts';
import {
  bytes,
  duration,
  flag,
  integer,
  oneOf,
  text,
  textList,
} from '../../../src/wire/config/scalars.ts';
import { toolOptions } from '../../../src/wire/config/tool-options.ts';

/** What a schema makes of a value, or the words after "expected". */
function read(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : `expected ${parsed.error.issues[0]?.message}`;
}

const DURATION = 'expected a duration: seconds, or a number with us, ms, s, min, h or d';

describe('a duration', () => {
  test.each([
    [30, 30_000],
    [0.5, 500],
    [0, 0],
    ['30', 30_000],
    ['500ms', 500],
    ['2500us', 3],
    ['1.5s', 1500],
    ['30min', 1_800_000],
    [' 2 h ', 7_200_000],
    ['1d', 86_400_000],
    [-1, DURATION],
    ['30 minutes', DURATION],
    ['', DURATION],
    [true, DURATION],
    [Number.NaN, DURATION],
    [Number.POSITIVE_INFINITY, DURATION],
    ['30d', DURATION],
    [['1s'], DURATION],
  ])('of %j is %j ms', (value, expected) => {
    expect(read(duration(), value)).toBe(expected);
  });
});

describe('a size', () => {
  test.each([
    [1048576, 1048576],
    ['1MB', 1048576],
    ['512 kB', 524288],
    ['2gb', 2147483648],
    ['1.5MB', 'expected a size of at least 0: bytes, or a number with kB, MB, GB or TB'],
    [-1, 'expected a size of at least 0: bytes, or a number with kB, MB, GB or TB'],
  ])('of %j is %j bytes', (value, expected) => {
    expect(read(bytes(), value)).toBe(expected);
  });
});

describe('a boolean', () => {
  test.each([
    [true, true],
    ['on', true],
    ['YES', true],
    ['1', true],
    [1, true],
    ['off', false],
    ['No', false],
    [0, false],
    ['maybe', 'expected a boolean: on or off'],
    [2, 'expected a boolean: on or off'],
    [{}, 'expected a boolean: on or off'],
  ])('of %j is %j', (value, expected) => {
    expect(read(flag(), value)).toBe(expected);
  });
});

describe('a whole number', () => {
  test.each([
    [8500, 8500],
    ['8500', 8500],
    [0, 'expected a whole number from 1 to 65535'],
    [1.5, 'expected a whole number from 1 to 65535'],
    ['0x10', 'expected a whole number from 1 to 65535'],
    ['port', 'expected a whole number from 1 to 65535'],
  ])('of %j is %j', (value, expected) => {
    expect(read(integer(1, 65_535), value)).toBe(expected);
  });
});

test('text may be written as a number, and is never empty', () => {
  expect(read(text(), 12)).toBe('12');
  expect(read(text('a path'), '')).toBe('expected a path');
  expect(read(text('a path'), true)).toBe('expected a path');
});

test('a word of a list is taken in any case', () => {
  expect(read(oneOf('plain', 'json'), 'JSON')).toBe('json');
  expect(read(oneOf('plain', 'json'), 'xml')).toBe('expected one of plain, json');
});

test('a list may be written with commas', () => {
  expect(read(textList(), 'a, b,,c')).toEqual(['a', 'b', 'c']);
  expect(read(textList(), ['a', 1])).toEqual(['a', '1']);
});

describe('an address', () => {
  test.each([
    ['10.0.0.1:5433', { host: '10.0.0.1', port: 5433 }],
    ['db-1.example.org', { host: 'db-1.example.org', port: 5432 }],
    ['[fe80::1%eth0]:5433', { host: 'fe80::1%eth0', port: 5433 }],
    ['::1', { host: '::1', port: 5432 }],
    ['host:0', undefined],
    ['host:65536', undefined],
    ['host:', undefined],
    ['http://host:1', undefined],
    ['5432', undefined],
    ['a b:1', undefined],
    ['', undefined],
  ])('%j to connect to is %j', (value, expected) => {
    expect(parseHostPort(value, 5432)).toEqual(expected);
  });

  test.each([
    ['127.0.0.1,10.0.0.1:5433', { hosts: ['127.0.0.1', '10.0.0.1'], port: 5433 }],
    ['*:5432', { hosts: ['*'], port: 5432 }],
    [':5433', { hosts: ['*'], port: 5433 }],
    ['[::1],localhost:5433', { hosts: ['::1', 'localhost'], port: 5433 }],
    ['::1', { hosts: ['::1'], port: 5432 }],
    ['0.0.0.0', { hosts: ['0.0.0.0'], port: 5432 }],
    ['x:y:z', undefined],
    ['5432', undefined],
    ['host:99999', undefined],
    ['a;b:1', undefined],
  ])('%j to listen on is %j', (value, expected) => {
    expect(parseListen(value, 5432)).toEqual(expected);
  });
});

describe('options of a tool', () => {
  test.each([
    [
      ['data-checksums', { encoding: 'UTF8' }, { 'wal-segsize': 64 }],
      ['--data-checksums', '--encoding=UTF8', '--wal-segsize=64'],
    ],
    [{ locale: 'C', 'data-checksums': true, sync: false }, ['--locale=C', '--data-checksums']],
    [['encoding=UTF8'], ['--encoding=UTF8']],
    [[{ pgdata: '/elsewhere' }], /options of initdb without "pgdata", which pgbaton sets itself/],
    [['-D'], /without "-D"/],
    ['data-checksums', /a list of options of initdb/],
  ])('%j becomes %j', (value, expected) => {
    const made = read(toolOptions('initdb'), value);
    if (expected instanceof RegExp) expect(made).toMatch(expected);
    else expect(made).toEqual(expected);
  });

  test('compression by the server is left to the operator, by the client it is not', () => {
    const schema = toolOptions('pg_basebackup');
    expect(read(schema, [{ compress: 'server-lz4' }])).toEqual(['--compress=server-lz4']);
    expect(read(schema, [{ compress: 'client-gzip' }])).toMatch(/without "compress"/);
    expect(read(schema, ['verbose', { 'max-rate': '100M' }])).toEqual([
      '--verbose',
      '--max-rate=100M',
    ]);
  });
});
