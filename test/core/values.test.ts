import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { assert, BugError, unreachable } from '../../src/core/assert.ts';
import { formatLsn, lagBytes, lsn, maxLsn, parseLsn } from '../../src/core/lsn.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { mergePatch } from '../../src/core/merge-patch.ts';
import { same } from '../../src/core/same.ts';
import { Secret } from '../../src/core/secret.ts';
import { slotNameFor } from '../../src/core/slots.ts';
import { leftAt, parseHistory, relate } from '../../src/core/timeline.ts';

describe('a position in the log', () => {
  test.each([
    ['0/0', 0n],
    ['0/3000148', 0x3000148n],
    ['16/B374D848', 0x16b374d848n],
    ['16/b374d848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 0xffffffffffffffffn],
  ])('reads %s', (text, bytes) => {
    expect(parseLsn(text)).toBe(bytes);
  });

  test.each(['', '0', '/', '0/', '/0', '0/123456789', '0/G', ' 0/0', '0/0\n', '-1/0'])(
    'does not read "%s"',
    (text) => {
      expect(parseLsn(text)).toBeUndefined();
    },
  );

  test('is written as PostgreSQL does', () => {
    expect(formatLsn(lsn(0x16b374d848n))).toBe('16/B374D848');
    expect(formatLsn(lsn(0n))).toBe('0/0');
  });

  test('is compared as a number: 9/0 is before 10/0', () => {
    const nine = parseLsn('9/0') ?? lsn(0n);
    const ten = parseLsn('10/0') ?? lsn(0n);
    expect(maxLsn(nine, ten)).toBe(ten);
    expect(lagBytes(ten, nine)).toBe(7n << 32n);
    expect(lagBytes(nine, ten)).toBe(0n);
  });
});

describe('a timeline history', () => {
  const text =
    '1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t0/5000000\tbefore x\n';
  const switches = parseHistory(text, parseLsn);
  const history = { timeline: 3, switches };

  test('is read line by line, without those that are none', () => {
    expect(switches).toEqual([
      { parent: 1, switchLsn: 0x3000148n, reason: 'no recovery target specified' },
      { parent: 2, switchLsn: 0x5000000n, reason: 'before x' },
    ]);
  });

  test('tells where each timeline was left', () => {
    expect(leftAt(history, 1)).toBe(0x3000148n);
    expect(leftAt(history, 3)).toBe('current');
    expect(leftAt(history, 4)).toBeUndefined();
  });

  test.each([
    ['on the same timeline', 3, 0x9999999n, 'ancestor'],
    ['on an ancestor, to where it was left', 2, 0x5000000n, 'ancestor'],
    ['on an ancestor, one byte past that', 2, 0x5000001n, 'diverged'],
    ['on an older ancestor, past where that was left', 1, 0x3000149n, 'diverged'],
    ['on a timeline that it never was on', 7, 0n, 'unrelated'],
  ])('relates a log %s', (_title, timeline, end, kind) => {
    expect(relate(timeline, lsn(end), history).kind).toBe(kind);
  });
});

describe('a slot is named by the rule of Patroni', () => {
  test.each([
    ['pg1', 'pg1'],
    ['PG1', 'pg1'],
    ['pg-1.example_com', 'pg_1_example_com'],
    ['ü', 'u00fc'],
    ['a b', 'au0020b'],
    ['x'.repeat(70), 'x'.repeat(63)],
  ])('%s', (member, wanted) => {
    expect(slotNameFor(member)).toBe(wanted);
  });
});

describe('a merge patch', () => {
  test.each([
    ['sets', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['replaces', { a: 1 }, { a: 2 }, { a: 2 }],
    ['removes with null', { a: 1, b: 2 }, { a: null }, { b: 2 }],
    ['goes into what is nested', { a: { b: 1, c: 2 } }, { a: { b: 3 } }, { a: { b: 3, c: 2 } }],
    ['removes a parent that becomes empty', { a: { b: 1 } }, { a: { b: null } }, {}],
    ['keeps an empty mapping that is set as such', {}, { a: {} }, { a: {} }],
    ['replaces lists as a whole', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['replaces a value by a mapping', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['removes what is not there', { a: 1 }, { b: null, c: { d: null } }, { a: 1 }],
  ])('%s', (_title, before, patch, after) => {
    const kept = structuredClone(before);
    expect(mergePatch(before, patch)).toEqual(after);
    expect(before).toEqual(kept);
  });

  test.each([
    ['sets', '{}', '{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}'],
    ['goes into', '{"__proto__":{"a":1}}', '{"__proto__":{"b":2}}', '{"__proto__":{"a":1,"b":2}}'],
    ['removes', '{"__proto__":1}', '{"__proto__":null}', '{}'],
  ])('%s a key called __proto__ like any other', (_title, before, patch, after) => {
    const read = (text: string): JsonObject => JSON.parse(text) as JsonObject;
    expect(JSON.stringify(mergePatch(read(before), read(patch)))).toBe(after);
  });
});

describe('a secret', () => {
  const secret = new Secret('hunter2');

  test('shows itself to nobody but who asks for it', () => {
    const shown = [
      secret.toString(),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
      String(Object.values(secret)),
    ];
    for (const text of shown) expect(text).not.toContain('hunter2');
    expect(secret.reveal()).toBe('hunter2');
  });

  test('is compared by what it holds', () => {
    expect(secret.equals(new Secret('hunter2'))).toBe(true);
    expect(secret.equals(new Secret('other'))).toBe(false);
    expect(secret.equals(undefined)).toBe(false);
  });
});

describe('two settings are the same', () => {
  const secret = (text: string) => new Secret(text);
  test.each([
    [{ a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }, true],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: secret('x') }, { a: secret('x') }, true],
    [{ a: secret('x') }, { a: secret('y') }, false],
    [{ a: secret('x') }, { a: {} }, false],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1 }, { b: 1 }, false],
    [[1, 2], [2, 1], false],
    [[1], { 0: 1 }, false],
    [Number.NaN, Number.NaN, true],
    [null, {}, false],
    [undefined, undefined, true],
    [10n, 10n, true],
  ])('%o and %o: %s', (a, b, wanted) => {
    expect(same(a, b)).toBe(wanted);
    expect(same(b, a)).toBe(wanted);
  });
});

describe('a broken assumption of the program', () => {
  test('is an exception of its own kind', () => {
    expect(() => {
      assert(false, 'two at once');
    }).toThrow(new BugError('two at once'));
    expect(() => {
      assert(true, 'fine');
    }).not.toThrow();
    expect(() => unreachable('x' as never)).toThrow(BugError);
  });
});
