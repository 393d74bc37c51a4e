import type { CustomCommand } from '../core/settings.ts';
import { customMethodSchema } from '../wire/config/postgresql.ts';
import type { CustomMethodConfig } from '../wire/config/postgresql.ts';
import { keysAt } from '../wire/config/shape.ts';
import type { z } from 'zod';
import { checkTree, unknownKey } from './check.ts';
import type { LocatedProblem } from './check.ts';
import { isTree, valueAt } from './layer.ts';
import type { Layer, Path } from './layer.ts';
import type { ConfigProblem } from './problem.ts';

export type CustomMethods = Readonly<Record<string, CustomMethodConfig>>;

/**
 * Sections of the operator's own methods stand under free names beside the known keys. A further key
 * is one when it is a mapping with a command, or named as a method; anything else is a slip.
 */
export function checkMethods(
  schema: z.ZodType,
  layer: Layer,
  at: Path,
  named: readonly string[],
): {
  readonly methods: CustomMethods;
  readonly problems: readonly LocatedProblem[];
  readonly warnings: readonly ConfigProblem[];
} {
  const section = valueAt(layer.tree, at);
  const known = keysAt(schema, at);
  const further = Object.entries(isTree(section) ? section : {}).filter(
    ([key]) => !known.includes(key),
  );
  const methods: Record<string, CustomMethodConfig> = {};
  const problems: LocatedProblem[] = [];
  const warnings: ConfigProblem[] = [];
  for (const [name, tree] of further) {
    const path = [...at, name];
    if (!isTree(tree) || !(Object.hasOwn(tree, 'command') || named.includes(name))) {
      warnings.push(unknownKey(schema, layer.origins, path));
      continue;
    }
    const checked = checkTree(customMethodSchema, { tree, origins: layer.origins.within(path) });
    if (checked.value !== undefined) methods[name] = checked.value;
    problems.push(
      ...checked.problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] })),
    );
  }
  return { methods, problems, warnings };
}

/** The method in the words of the agent; what is no known key becomes a parameter of the command. */
export function toCustomCommand(name: string, config: CustomMethodConfig): CustomCommand {
  const { command, no_params, keep_data, no_leader, no_master, ...rest } = config;
  const { keep_existing_recovery_conf: _keep, recovery_conf: _recovery, ...parameters } = rest;
  return {
    name,
    command,
    noParams: no_params ?? false,
    keepData: keep_data ?? false,
    noLeader: no_leader ?? no_master ?? false,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([key, value]) => [key, String(value)]),
    ),
  };
}
