import { Secret } from './secret.ts';

/** Structural equality of plain settings; secrets take part by their value, which stays inside. */
export function same(a: unknown, b: unknown): boolean {
  if (a instanceof Secret || b instanceof Secret) {
    return a instanceof Secret && b instanceof Secret && a.equals(b);
  }
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  if (left.size !== right.size || Array.isArray(a) !== Array.isArray(b)) return false;
  return [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)));
}
