import { Secret } from './secret.ts';

/** Structural equality of plain settings; secrets take part by their value, which stays inside. */
export function same(a: unknown, b: unknown): boolean {
  if (a instanceof Secret || b instanceof Secret) {
    return a instanceof Secret && b instanceof Secret && a.equals(b);
  }
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(field(a, key), field(b, key)));
}

const field = (of: object, key: string): unknown => (of as Readonly<Record<string, unknown>>)[key];
