import { unreachable } from '../core/assert.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import type { FoundCluster } from './lookup.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';

/** The `config` key with the index under which it was read. */
export interface ReadConfig {
  readonly config: JsonObject;
  readonly index: number;
}

export function readConfig({ scope, record }: FoundCluster): Result<ReadConfig, CliFailure> {
  const slot = record.config;
  switch (slot.kind) {
    case 'present':
      return { ok: true, value: { config: slot.value, index: slot.index } };
    case 'absent':
      return failed(
        'unreachable',
        `Cluster ${scope} has no dynamic configuration yet.`,
        'It is written when the cluster is bootstrapped: see "pgbaton list".',
      );
    case 'garbled':
      return failed(
        'refused',
        `The dynamic configuration of ${scope} in Consul cannot be read: ${slot.reason}`,
        'Correct the key "config" of the cluster in Consul; it must be a JSON object.',
      );
    default:
      return unreachable(slot);
  }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nulls mean "not set": they are left out, as are mappings that become empty by it. */
function withoutNulls(config: JsonObject): JsonObject {
  const entries = Object.entries(config).flatMap(([key, value]): [string, Json][] => {
    if (value === null) return [];
    if (!isObject(value)) return [[key, value]];
    const inner = withoutNulls(value);
    return Object.keys(inner).length === 0 && Object.keys(value).length > 0 ? [] : [[key, inner]];
  });
  return Object.fromEntries(entries);
}

/** Merge patch: mappings are merged, null removes, everything else replaces. */
export function applyPatch(config: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...config };
  for (const [key, value] of Object.entries(patch)) {
    const former = merged[key];
    if (!isObject(value)) {
      merged[key] = value;
      continue;
    }
    const inner = applyPatch(isObject(former) ? former : {}, value);
    const emptied = Object.keys(inner).length === 0 && Object.keys(value).length > 0;
    merged[key] = emptied ? null : inner;
  }
  return withoutNulls(merged);
}

/**
 * Sets one value by its path; null removes it. Below `postgresql.parameters` the rest of the path
 * is one name: parameters of extensions have dots.
 */
export function setPath(config: JsonObject, path: readonly string[], value: Json): JsonObject {
  const inParameters = path[0] === 'postgresql' && path[1] === 'parameters' && path.length > 2;
  const steps = inParameters ? ['postgresql', 'parameters', path.slice(2).join('.')] : path;
  const patch = steps.reduceRight<Json>((inner, step) => ({ [step]: inner }), value);
  if (!isObject(value)) return isObject(patch) ? applyPatch(config, patch) : config;
  // A mapping replaces what was there, as patronictl does; --apply merges.
  const removal = steps.reduceRight<Json>((inner, step) => ({ [step]: inner }), null);
  const cleared = isObject(removal) ? applyPatch(config, removal) : config;
  return isObject(patch) ? applyPatch(cleared, patch) : config;
}

export const sameJson = (left: Json | undefined, right: Json | undefined): boolean => {
  if (isObject(left) && isObject(right)) {
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...keys].every((key) => sameJson(left[key], right[key]));
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length && left.every((item, index) => sameJson(item, right[index]))
    );
  }
  return left === right;
};

/** The merge patch that leads from one configuration to the other: what is gone becomes null. */
export function patchBetween(before: JsonObject, after: JsonObject): JsonObject {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const former = before[key];
    if (sameJson(former, value)) continue;
    patch[key] = isObject(former) && isObject(value) ? patchBetween(former, value) : value;
  }
  return patch;
}
