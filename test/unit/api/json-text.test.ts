import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonText, writeJsonText } from '../../../src/wire/rest/json-text.ts';

const valueOf = (text: string): unknown => {
  const parsed = parseJsonText(text);
  return parsed.ok ? parsed.value : parsed.error.code;
};

describe('JSON with 64-bit integers', () => {
  it('writes and reads back any document', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = writeJsonText(value);
        expect(text).toBe(JSON.stringify(value));
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('keeps every position exact', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.string(), (position, noise) => {
        const document = { noise, at: [position], [`${noise}"1234567890123456789`]: 1 };
        const read = valueOf(writeJsonText(document)) as { noise: string; at: [number | bigint] };
        expect(BigInt(read.at[0])).toBe(position);
        expect(read.noise).toBe(noise);
      }),
    );
  });

  it.each<[string, unknown]>([
    ['1234567890123456789', 1234567890123456789n],
    ['-1234567890123456789', -1234567890123456789n],
    ['123456789012345', 123456789012345],
    ['0.1234567890123456789', 0.12345678901234568],
    ['1234567890123456789.5', Number('1234567890123456789.5')],
    ['1234567890123456789e3', Number('1234567890123456789e3')],
    ['"1234567890123456789"', '1234567890123456789'],
    ['"\\"1234567890123456789"', '"1234567890123456789'],
    ['{', 'not-json'],
    ['', 'not-json'],
  ])('reads %s', (text, value) => {
    expect(valueOf(text)).toEqual(value);
  });

  it('leaves absent members out and turns what JSON lacks into null', () => {
    expect(writeJsonText({ a: undefined, b: Number.NaN, c: [null] })).toBe('{"b":null,"c":[null]}');
  });
});
