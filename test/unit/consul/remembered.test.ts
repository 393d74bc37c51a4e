import { describe, expect, test } from 'vitest';
import { err, ok } from '../../../src/core/result.ts';
import { remembered } from '../../../src/wire/consul/codec.ts';
import { textOf } from '../../../src/wire/consul/kv.ts';

describe('what a text of Consul means', () => {
  test('is worked out once, good or bad', () => {
    const asked: string[] = [];
    const decode = remembered((text) => {
      asked.push(text);
      return text === 'odd' ? err('odd') : ok(text.length);
    });
    expect([decode('one'), decode('odd'), decode('one'), decode('odd')]).toEqual([
      ok(3),
      err('odd'),
      ok(3),
      err('odd'),
    ]);
    expect(asked).toEqual(['one', 'odd']);
  });

  test('is forgotten again when many others came, and then worked out anew', () => {
    let worked = 0;
    const decode = remembered((text) => {
      worked += 1;
      return ok(text);
    });
    for (let n = 0; n < 1000; n += 1) decode(`text ${n}`);
    expect(decode('text 999')).toEqual(ok('text 999'));
    expect(worked).toBe(1000);
    expect(decode('text 0')).toEqual(ok('text 0'));
    expect(worked).toBe(1001);
  });
});

describe('bytes that are no UTF-8', () => {
  test('are refused, and leave nothing behind for the next', () => {
    const text = new TextEncoder().encode('Zürich');
    expect(textOf(text.subarray(0, 2))).toBeUndefined();
    expect(textOf(text)).toBe('Zürich');
  });
});
