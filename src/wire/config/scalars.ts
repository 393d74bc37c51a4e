import { z } from 'zod';
import { Secret } from '../../core/secret.ts';
import { LONGEST_DURATION_MILLIS } from '../../core/timing.ts';

/*
 * Leaves of the configuration. The message of every leaf is the words after "expected": the loader
 * adds where it stands and what was found there. Numbers may be written as text, as Patroni lets them.
 */

/** Text that is not empty; a bare number is taken as its digits. */
export const text = (expected = 'text') =>
  z
    .union([z.string().min(1, { error: expected }), z.number()], { error: expected })
    .transform((value) => String(value));

/** Text that matches a pattern. */
export const textLike = (pattern: RegExp, expected: string) =>
  text(expected).refine((value) => pattern.test(value), { error: expected });

export const secret = () =>
  z
    .union([z.string().min(1, { error: 'text' }), z.number()], { error: 'text' })
    .transform((value) => new Secret(String(value)));

const TRUE = new Set(['true', 'on', 'yes', '1', 't', 'y']);
const FALSE = new Set(['false', 'off', 'no', '0', 'f', 'n']);

/** Reads a boolean as PostgreSQL writes one; undefined when it is none. */
export function parseBoolean(value: string | number | boolean): boolean | undefined {
  const word = String(value).trim().toLowerCase();
  if (TRUE.has(word)) return true;
  return FALSE.has(word) ? false : undefined;
}

export const flag = () => {
  const error = 'a boolean: on or off';
  return z
    .union([z.boolean(), z.number(), z.string()], { error })
    .transform((value, context) => parseBoolean(value) ?? refuse(context, error));
};

/** A whole number from `minimum` to `maximum`. */
export const integer = (minimum: number, maximum = Number.MAX_SAFE_INTEGER) => {
  const error = describeRange('a whole number', minimum, maximum);
  return z.union([z.number(), z.string()], { error }).transform((value, context) => {
    const number = typeof value === 'number' ? value : parseNumber(value);
    const good = number !== undefined && Number.isSafeInteger(number);
    return good && number >= minimum && number <= maximum ? number : refuse(context, error);
  });
};

export const port = () => integer(1, 65_535);

const MILLIS_PER: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads seconds (30, 0.5) or a text with PostgreSQL's units (500ms, 30s, 5min, 1h, 1d) as milliseconds. */
function parseDuration(value: string | number): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*$/.exec(String(value));
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * (MILLIS_PER[match[2] ?? 's'] ?? 1000));
}

/** A duration of at least `minimumMillis`, as milliseconds. */
export const duration = (minimumMillis = 0) => {
  const least = minimumMillis > 0 ? ` of at least ${minimumMillis / 1000} s` : '';
  const error = `a duration${least}: seconds, or a number with us, ms, s, min, h or d`;
  return z.union([z.number(), z.string()], { error }).transform((value, context) => {
    const millis = parseDuration(value);
    const good = millis !== undefined && millis >= minimumMillis;
    return good && millis <= LONGEST_DURATION_MILLIS ? millis : refuse(context, error);
  });
};

const BYTES_PER: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

/** Reads bytes (1048576) or a text with PostgreSQL's units (512kB, 1MB). */
export function parseBytes(value: string | number): number | undefined {
  const match = /^\s*(-?\d+)\s*(B|kB|MB|GB|TB)?\s*$/i.exec(String(value));
  if (match === null) return undefined;
  return Number(match[1]) * (BYTES_PER[(match[2] ?? 'B').toLowerCase()] ?? 1);
}

/** A size of at least `minimum`, as bytes. */
export const bytes = (minimum = 0) => {
  const error = `a size of at least ${minimum}: bytes, or a number with kB, MB, GB or TB`;
  return z.union([z.number(), z.string()], { error }).transform((value, context) => {
    const size = parseBytes(value);
    const good = size !== undefined && Number.isSafeInteger(size) && size >= minimum;
    return good ? size : refuse(context, error);
  });
};

/** One of some words, in any case. */
export const oneOf = <const W extends readonly [string, ...string[]]>(...words: W) => {
  const error = `one of ${words.join(', ')}`;
  return z
    .string({ error })
    .transform(
      (value, context): W[number] =>
        words.find((word) => word === value.toLowerCase()) ?? refuse(context, error),
    );
};

/** A list of texts; one text is a list with commas. */
export const textList = (item = 'text') =>
  z
    .union([z.array(text(item)), text(`a list of ${item}`)], { error: `a list of ${item}` })
    .transform((value) =>
      typeof value === 'string'
        ? value
            .split(',')
            .map((part) => part.trim())
            .filter(Boolean)
        : value,
    );

/** Lines of a file, in order. */
export const lines = () =>
  z.array(z.string({ error: 'a line of text' }), { error: 'a list of lines' });

export const words = (expected: string) => z.record(z.string(), text(), { error: expected });

/** Settings of PostgreSQL by name. */
export const parameters = () =>
  z.record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean()], { error: 'text, a number or a boolean' }),
    { error: 'a mapping of parameter names to values' },
  );

/** Refuses the value in a transform, with the words after "expected". */
export function refuse(context: z.core.$RefinementCtx<unknown>, expected: string): never {
  context.issues.push({ code: 'custom', input: context.value, message: expected });
  return z.NEVER;
}

function parseNumber(value: string): number | undefined {
  return /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : undefined;
}

function describeRange(what: string, minimum: number, maximum: number): string {
  if (maximum < Number.MAX_SAFE_INTEGER) return `${what} from ${minimum} to ${maximum}`;
  return minimum > Number.MIN_SAFE_INTEGER ? `${what} of at least ${minimum}` : what;
}
