import type { Json, JsonObject } from './json.ts';

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Merge patch of a dynamic configuration: nested, null removes; parents that become empty go too. */
export function mergePatch(before: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete merged[key];
    } else if (isObject(value)) {
      const existing = merged[key];
      const inner = mergePatch(isObject(existing) ? existing : {}, value);
      if (Object.keys(inner).length === 0 && Object.keys(value).length > 0) delete merged[key];
      else merged[key] = inner;
    } else {
      merged[key] = value;
    }
  }
  return merged;
}
