import { readFile } from 'node:fs/promises';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { applyPatch, setPath } from './dynamic-config.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import type { Terminal } from './terminal.ts';
import { parseConfigText, parseValueText } from './yaml-input.ts';

const LONGEST_INPUT_BYTES = 1024 * 1024;

/** Changes as the command line gives them. */
export interface ConfigChanges {
  readonly set?: readonly string[];
  readonly pg?: readonly string[];
  readonly apply?: string;
  readonly replace?: string;
}

async function readInput(path: string, terminal: Terminal): Promise<Result<string, CliFailure>> {
  if (path === '-') {
    const text = await terminal.readStdin(LONGEST_INPUT_BYTES);
    if (text !== undefined) return { ok: true, value: text };
    return failed(
      'usage',
      'Standard input is longer than 1 MB.',
      'A configuration is expected there.',
    );
  }
  try {
    return { ok: true, value: await readFile(path, 'utf8') };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return failed('usage', `Cannot read ${path}: ${said}`, 'Name an existing YAML file, or "-".');
  }
}

async function parseInput(
  path: string,
  terminal: Terminal,
): Promise<Result<JsonObject, CliFailure>> {
  const text = await readInput(path, terminal);
  return text.ok ? parseConfigText(text.value, path === '-' ? 'standard input' : path) : text;
}

function applyPair(
  config: JsonObject,
  pair: string,
  prefix: readonly string[],
): Result<JsonObject, CliFailure> {
  const at = pair.indexOf('=');
  const path = pair.slice(0, Math.max(at, 0)).trim();
  if (at === -1 || path === '' || path.split('.').includes('')) {
    return failed(
      'usage',
      `Invalid parameter setting "${pair}".`,
      'Write key=value, as in --set ttl=10 or --pg work_mem=8MB.',
    );
  }
  const value = parseValueText(pair.slice(at + 1));
  if (!value.ok) return value;
  return { ok: true, value: setPath(config, [...prefix, ...path.split('.')], value.value) };
}

/** The configuration with the changes applied in patronictl's order; undefined: none was given. */
export async function changedConfig(
  before: JsonObject,
  changes: ConfigChanges,
  terminal: Terminal,
): Promise<Result<JsonObject | undefined, CliFailure>> {
  let config: JsonObject | undefined;
  if (changes.replace !== undefined) {
    const replacement = await parseInput(changes.replace, terminal);
    if (!replacement.ok) return replacement;
    config = applyPatch({}, replacement.value);
  }
  if (changes.apply !== undefined) {
    const patch = await parseInput(changes.apply, terminal);
    if (!patch.ok) return patch;
    config = applyPatch(config ?? before, patch.value);
  }
  const pairs = [
    ...(changes.set ?? []).map((pair) => ({ pair, prefix: [] })),
    ...(changes.pg ?? []).map((pair) => ({ pair, prefix: ['postgresql', 'parameters'] })),
  ];
  for (const { pair, prefix } of pairs) {
    const changed = applyPair(config ?? before, pair, prefix);
    if (!changed.ok) return changed;
    config = changed.value;
  }
  return { ok: true, value: config };
}
