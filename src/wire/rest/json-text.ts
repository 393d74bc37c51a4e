import { fail, ok, type Result } from '../../core/result.ts';

/** What can be written as JSON text, with 64-bit integers; undefined properties are left out. */
export type JsonWritable =
  | null
  | boolean
  | number
  | string
  | bigint
  | readonly JsonWritable[]
  | { readonly [key: string]: JsonWritable | undefined };

/**
 * Writes JSON with bigints as plain integers, never as text: Patroni publishes log positions as
 * numbers, and readers in other languages read all 64 bits. Numbers that JSON lacks become null.
 */
export function writeJsonText(value: JsonWritable): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(writeJsonText).join(',')}]`;
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${writeJsonText(member)}`);
  }
  return `{${members.join(',')}}`;
}

// Array.isArray does not narrow a readonly array.
const isArray = (value: object): value is readonly JsonWritable[] => Array.isArray(value);

const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\b\d{16,}\b(?![.eE])/g;
const MARK = '\u0000int:';

/**
 * Reads JSON; integers of 16 digits and more come as bigint, because a double would round them.
 * A fraction or exponent stays a number. Failure `not-json`.
 */
export function parseJsonText(text: string): Result<unknown> {
  let marked = false;
  const source = text.replace(STRING_OR_LONG_INTEGER, (token, offset: number) => {
    if (token.startsWith('"') || text[offset - 1] === '.') return token;
    marked = true;
    return `"\\u0000int:${token}"`;
  });
  try {
    return ok(marked ? JSON.parse(source, revive) : JSON.parse(text));
  } catch (error) {
    return fail(
      'not-json',
      `not valid JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  const digits = value.slice(MARK.length);
  return /^-?\d+$/.test(digits) ? BigInt(digits) : value;
}
