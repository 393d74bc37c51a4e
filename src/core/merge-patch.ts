import type { Json, JsonObject } from './json.ts';

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Merge patch of a dynamic configuration: nested, null removes; parents that become empty go too. */
export function mergePatch(before: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(before));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      merged.delete(key);
    } else if (isObject(value)) {
      const existing = merged.get(key);
      const inner = mergePatch(isObject(existing) ? existing : {}, value);
      const emptied = Object.keys(inner).length === 0 && Object.keys(value).length > 0;
      if (emptied) merged.delete(key);
      else merged.set(key, inner);
    } else {
      merged.set(key, value);
    }
  }
  return Object.fromEntries(merged);
}
