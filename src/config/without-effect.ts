import type { JsonObject } from '../core/json.ts';
import { readDynamic } from './dynamic.ts';
import { Origins } from './layer.ts';
import { notHonoured } from './not-honoured.ts';
import { formatProblem } from './problem.ts';

/**
 * What a dynamic configuration holds that agents take and do not act on, a line each: slips of the
 * pen above all. Patroni takes keys that it does not know as well, so they are no errors.
 */
export function withoutEffect(dynamic: JsonObject): readonly string[] {
  const { tree, warnings } = readDynamic(dynamic, new Origins());
  return [
    ...warnings.map(formatProblem),
    ...notHonoured({}, tree).map((key) => `${key}: accepted, but nothing acts on it yet`),
  ];
}
