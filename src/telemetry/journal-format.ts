import type { Json, JsonObject } from '../core/json.ts';
import { formatLsn, lsn, parseLsn } from '../core/lsn.ts';
import { Secret } from '../core/secret.ts';
import { redactText } from './redact.ts';

/**
 * How the journal writes what a decision was made from: JSON that gives back exactly what it was made
 * of, but for secrets. What JSON lacks is an object with one key that begins with `$`; such keys of
 * the data themselves get another `$`.
 */

/** Raised with every change that an older reader would misread. */
export const JOURNAL_FORMAT = 1;

const REDACTED = '[redacted]';
const SECRET_KEY = /passw|passphrase|secret|token|authorization|credential|private.?key/i;
const UNDEFINED: JsonObject = { $undefined: true };
const SECRET: JsonObject = { $secret: true };

/** Positions beyond what `formatLsn` can write in two halves of 32 bits are written as digits. */
const LSN_MAX = 2n ** 64n;

function encodeBigint(value: bigint): JsonObject {
  return value >= 0n && value < LSN_MAX
    ? { $lsn: formatLsn(lsn(value)) }
    : { $bigint: value.toString() };
}

function encodeNumber(value: number): Json {
  return Number.isFinite(value) ? value : { $number: String(value) };
}

/** `hideText`: no text of it is shown, only its structure, numbers and switches. */
export function encode(value: unknown, hideText = false): Json {
  switch (typeof value) {
    case 'undefined':
      return UNDEFINED;
    case 'string':
      return hideText ? REDACTED : redactText(value, Infinity);
    case 'bigint':
      return encodeBigint(value);
    case 'number':
      return encodeNumber(value);
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : encodeObject(value, hideText);
    default:
      throw new TypeError(`a ${typeof value} has no place in the journal`);
  }
}

function encodeObject(value: object, hideText: boolean): Json {
  if (value instanceof Secret) return SECRET;
  if (Array.isArray(value)) return value.map((item) => encode(item, hideText));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => {
      const hidden = hideText || (SECRET_KEY.test(key) && typeof item === 'string');
      return [key.startsWith('$') ? `$${key}` : key, encode(item, hidden)];
    }),
  );
}

/** Gives back what `encode` was given; a secret comes back as one that is hidden for good. */
export function decode(encoded: Json): unknown {
  if (typeof encoded !== 'object' || encoded === null) return encoded;
  if (Array.isArray(encoded)) return encoded.map(decode);
  const entries = Object.entries(encoded as JsonObject);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && isMark(first[0]))
    return decodeMark(first[0], first[1]);
  return Object.fromEntries(
    entries.map(([key, item]) => [key.startsWith('$$') ? key.slice(1) : key, decode(item)]),
  );
}

const isMark = (key: string): boolean => key.startsWith('$') && !key.startsWith('$$');

function decodeMark(mark: string, content: Json): unknown {
  const text = typeof content === 'string' ? content : '';
  switch (mark) {
    case '$undefined':
      return undefined;
    case '$secret':
      return new Secret(REDACTED);
    case '$lsn':
      return parseLsn(text);
    case '$bigint':
      return BigInt(text);
    case '$number':
      return Number(text);
    default:
      throw new Error(`the journal has an unknown mark ${mark}`);
  }
}

/** How a change says: this instead of what was there, or: changes of these elements of a list. */
const SET = '$set';
const AT = '$at';

const isPlain = (value: Json): value is JsonObject =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !Object.keys(value).some(isMark);

/** What turns `before` into `after`, both encoded; undefined: nothing. */
export function difference(before: Json, after: Json): Json | undefined {
  if (before === after) return undefined;
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    const changes = changesOf(before, after);
    return changes === undefined ? undefined : { [AT]: changes };
  }
  if (!isPlain(after)) return JSON.stringify(before) === JSON.stringify(after) ? undefined : after;
  if (!isPlain(before) || !sameKeys(before, after)) return { [SET]: after };
  return changesOf(before, after);
}

/** By key or position; both have the same. */
function changesOf(before: object, after: object): JsonObject | undefined {
  const known = new Map<string, Json>(Object.entries(before));
  const changes = Object.entries(after).flatMap(([key, value]: [string, Json]) => {
    const change = difference(known.get(key) ?? null, value);
    return change === undefined ? [] : [[key, change] as const];
  });
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

/** In the same order, too: what is read back is to be walked through as it was. */
function sameKeys(a: JsonObject, b: JsonObject): boolean {
  const [left, right] = [Object.keys(a), Object.keys(b)];
  return left.length === right.length && left.every((key, at) => key === right[at]);
}

/** Undoes `difference`. */
export function patched(before: Json, change: Json | undefined): Json {
  if (change === undefined) return before;
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
  const changes = change as JsonObject;
  const whole = changes[SET];
  if (whole !== undefined) return whole;
  const elements = changes[AT];
  if (elements !== undefined) {
    if (!Array.isArray(before)) throw new Error('a change of the journal fits no list');
    return [...patchedMembers(before, elements as JsonObject).values()];
  }
  if (!isPlain(changes)) return changes;
  if (!isPlain(before)) throw new Error('a change of the journal fits nothing before it');
  return Object.fromEntries(patchedMembers(before, changes));
}

function patchedMembers(before: object, changes: JsonObject): ReadonlyMap<string, Json> {
  const after = new Map<string, Json>(Object.entries(before));
  for (const [key, inner] of Object.entries(changes)) {
    const known = after.get(key);
    if (known === undefined) throw new Error(`a change of the journal fits no key ${key}`);
    after.set(key, patched(known, inner));
  }
  return after;
}
