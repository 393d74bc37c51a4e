import { z } from 'zod';
import { lsn } from '../../core/lsn.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { isShallow } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { encodeJson, isObject, parseJson, plainObject } from './json.ts';
import type { WireJson } from './json.ts';

/** Text of one key and what it means. `decode` says in a few words why a text cannot be read. */
export interface Codec<T> {
  decode(text: string): Result<T, string>;
  encode(value: T): string;
}

/** A WAL position as an integer of any size. */
export const lsnField = z
  .union([z.int().nonnegative(), z.bigint().nonnegative()])
  .transform((position) => lsn(BigInt(position)));

/** Like `lsnField` for where a wrong value costs only itself, not the whole key. */
export const optionalLsn = lsnField.optional().catch(undefined);

export const optionalText = z.string().optional().catch(undefined);

/** A free-form JSON object; bigints in it become numbers. */
export const objectField = z
  .custom<object>((value) => isObject(value) && isShallow(value), {
    error: 'expected an object without deep nesting',
  })
  .transform((value): JsonObject => plainObject(value));

const REASON_LENGTH = 200;

export function checkSchema<T>(schema: z.ZodType<T>, value: unknown): Result<T, string> {
  const outcome = schema.safeParse(value);
  if (outcome.success) return ok(outcome.data);
  const reason = outcome.error.issues
    .map((issue) => `${issue.path.map(String).join('.') || 'value'}: ${issue.message}`)
    .join('; ');
  return err(reason.slice(0, REASON_LENGTH));
}

const REMEMBERED_MAX = 64;

/**
 * All keys are read whenever one of them has changed: what a text meant lately is not worked out
 * again. Values are never modified, so several records may share one.
 */
export function remembered<T>(
  decode: (text: string) => Result<T, string>,
): (text: string) => Result<T, string> {
  const known = new Map<string, Result<T, string>>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const value = decode(text);
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(text, value);
    return value;
  };
}

export function jsonCodec<T>(schema: z.ZodType<T>, toWire: (value: T) => WireJson): Codec<T> {
  return {
    decode: remembered((text) => {
      const parsed = parseJson(text);
      return parsed.ok ? checkSchema(schema, parsed.value) : parsed;
    }),
    encode: (value) => encodeJson(toWire(value)),
  };
}

/** Members of a comma list, as Patroni writes `sync_standby`. */
export const splitNames = (list: string): readonly string[] =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** Plain text that must match. */
export function textCodec(pattern: RegExp, expected: string): Codec<string> {
  return {
    decode: (text) => (pattern.test(text.trim()) ? ok(text.trim()) : err(`expected ${expected}`)),
    encode: (value) => value,
  };
}
