import { formatProblem } from '../config/problem.ts';
import { readFragment, readYaml } from '../config/read-yaml.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';

/** A whole dynamic configuration in YAML, read as Patroni reads it (version 1.1: on is true). */
export function parseConfigText(text: string, name: string): Result<JsonObject, CliFailure> {
  const { layer, problems } = readYaml(text, name, 'ttl: 3');
  if (problems.length === 0) return { ok: true, value: layer.tree as JsonObject };
  return failed(
    'usage',
    problems.map(formatProblem).join('\n'),
    'Nothing was changed; correct the YAML and try again.',
  );
}

/** The value of `--set key=value`. */
export function parseValueText(text: string): Result<Json, CliFailure> {
  const fragment = readFragment(text);
  if (fragment !== undefined) return { ok: true, value: (fragment.value ?? null) as Json };
  return failed(
    'usage',
    `"${text}" is no YAML value.`,
    'Put it in quotes, as in: --set "key=\'a: b\'".',
  );
}
