import type { Json, JsonObject } from '../../core/json.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';

/**
 * JSON as Patroni writes it: without blanks, and with WAL positions as integers that may exceed
 * 2^53. JavaScript's own parser would round those silently, so they come out as bigint.
 */
export type WireJson =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | readonly WireJson[]
  | { readonly [key: string]: WireJson };

/** A string or a number; strings are matched so that digits within them are left alone. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;
const MARK = '\u0000bigint:';
const MARKED = /^\0bigint:-?\d+$/;

const markBigInteger = (token: string): string =>
  INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"\\u0000bigint:${token}"` : token;

const restoreBigInteger = (_key: string, value: unknown): unknown =>
  typeof value === 'string' && MARKED.test(value) ? BigInt(value.slice(MARK.length)) : value;

/** Integers beyond 2^53 become bigint, everything else is as JSON.parse gives it. */
export function parseJson(text: string): Result<unknown, string> {
  try {
    if (!/\d{16}/.test(text)) return ok(JSON.parse(text));
    return ok(JSON.parse(text.replace(TOKEN, markBigInteger), restoreBigInteger));
  } catch {
    return err('not JSON');
  }
}

/** Without blanks; properties that are undefined are left out. */
export function encodeJson(value: WireJson): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  if (Array.isArray(value)) {
    return `[${value.map((item: WireJson) => encodeJson(item ?? null)).join(',')}]`;
  }
  let fields = '';
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    fields += `${fields === '' ? '' : ','}${JSON.stringify(key)}:${encodeJson(field)}`;
  }
  return `{${fields}}`;
}

/** For free-form parts (tags): a bigint there is no WAL position, and a number is what readers expect. */
function plainJson(value: unknown): Json {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value === 'object' && value !== null) return plainObject(value);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return null;
}

/** A parsed JSON object with its bigints as numbers. */
export function plainObject(value: object): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainJson(item)]));
}

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
