import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { dynamicConfigSchema } from '../wire/config/dynamic.ts';
import { clientConfigSchema, localConfigSchema } from '../wire/config/local.ts';
import type { ClientConfig, LocalConfig } from '../wire/config/local.ts';
import { keysAt } from '../wire/config/shape.ts';
import { checkTree, prune } from './check.ts';
import { EMPTY_DYNAMIC, readDynamic } from './dynamic.ts';
import type { DynamicState } from './dynamic.ts';
import { isTree, valueAt, without } from './layer.ts';
import type { Layer, Path, RawTree } from './layer.ts';
import { checkMethods } from './methods.ts';
import type { CustomMethods } from './methods.ts';
import type { ConfigProblem } from './problem.ts';
import { readSources } from './sources.ts';
import type { ConfigSource } from './sources.ts';

export interface LoadedConfig {
  readonly config: LocalConfig;
  /** What the first content of the `config` key would be; empty without `bootstrap.dcs`. */
  readonly bootstrapDynamic: DynamicState;
  readonly replicaMethods: CustomMethods;
  readonly bootstrapMethods: CustomMethods;
  /** As written, without what says nothing; for finding which keys were set. Holds secrets. */
  readonly tree: RawTree;
  readonly files: readonly string[];
  readonly warnings: readonly ConfigProblem[];
}

/** Everything that is wrong, and what is only suspicious. */
export interface LoadFindings {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

const DCS: Path = ['bootstrap', 'dcs'];

/** Reads and checks the local configuration of an agent: everything that is wrong, not only the first. */
export async function loadConfig(
  source: ConfigSource,
): Promise<Result<LoadedConfig, LoadFindings>> {
  const read = await readSources(source);
  // What follows from a file that could not be read would only hide the cause.
  if (read.problems.some(({ code }) => /syntax|unreadable/.test(code))) return err(read);
  const layer: Layer = { tree: prune(read.layer.tree), origins: read.layer.origins };
  const dynamic = loadDynamic(layer);
  const local = checkTree(localConfigSchema, { ...layer, tree: without(layer.tree, DCS) });
  const replica = checkMethods(localConfigSchema, layer, ['postgresql'], replicaMethodNames(layer));
  const bootstrap = checkMethods(localConfigSchema, layer, ['bootstrap'], bootstrapMethod(layer));
  const problems = [
    ...read.problems,
    ...local.problems,
    ...replica.problems,
    ...bootstrap.problems,
    ...missingMethod(layer),
    ...checkTls(layer),
    ...dynamic.problems,
  ];
  const warnings = [
    ...read.warnings,
    ...local.warnings.map(explainMisplaced),
    ...replica.warnings,
    ...bootstrap.warnings,
    ...dynamic.warnings,
  ];
  if (problems.length > 0 || local.value === undefined) return err({ problems, warnings });
  return ok({
    config: local.value,
    bootstrapDynamic: dynamic,
    replicaMethods: replica.methods,
    bootstrapMethods: bootstrap.methods,
    tree: layer.tree,
    files: read.files,
    warnings,
  });
}

/** What the command line client needs of the same file; nothing in it is mandatory. */
export async function loadClientConfig(
  source: ConfigSource,
): Promise<Result<ClientConfig, LoadFindings>> {
  const read = await readSources(source);
  if (read.problems.length > 0) return err(read);
  const tree = without(prune(read.layer.tree), DCS);
  const checked = checkTree(clientConfigSchema, { tree, origins: read.layer.origins });
  return checked.value === undefined ? err(checked) : ok(checked.value);
}

function loadDynamic(layer: Layer): DynamicState {
  const tree = valueAt(layer.tree, DCS);
  return isTree(tree) ? readDynamic(tree, layer.origins.within(DCS)) : EMPTY_DYNAMIC;
}

function replicaMethodNames({ tree }: Layer): readonly string[] {
  const keys = ['create_replica_methods', 'create_replica_method'];
  return keys.flatMap((key) => {
    const names = valueAt(tree, ['postgresql', key]);
    if (typeof names === 'string') return names.split(',').map((name) => name.trim());
    return Array.isArray(names) ? names.map(String) : [];
  });
}

function bootstrapMethod({ tree }: Layer): readonly string[] {
  const method = valueAt(tree, ['bootstrap', 'method']);
  return typeof method === 'string' && method !== 'initdb' ? [method] : [];
}

function missingMethod(layer: Layer): readonly ConfigProblem[] {
  return bootstrapMethod(layer)
    .filter((name) => valueAt(layer.tree, ['bootstrap', name]) === undefined)
    .map((name) => ({
      code: 'config-contradiction',
      origin: layer.origins.find(['bootstrap', 'method']),
      key: 'bootstrap.method',
      message: `names "${name}", and there is no section bootstrap.${name}`,
      suggestion: `add "${name}:" with its "command:" under bootstrap, or remove method for initdb`,
    }));
}

/** Pairs of TLS settings where the one is void without the other, and the operator believes in both. */
function checkTls({ tree, origins }: Layer): readonly ConfigProblem[] {
  const needs: readonly (readonly [key: string, needed: string])[] = [
    ['restapi.keyfile', 'restapi.certfile'],
    ['restapi.verify_client', 'restapi.certfile'],
    ['restapi.verify_client', 'restapi.cafile'],
    ['consul.key', 'consul.cert'],
    ['ctl.keyfile', 'ctl.certfile'],
  ];
  return needs.flatMap(([key, needed]): ConfigProblem[] => {
    const value = valueAt(tree, key.split('.'));
    const idle = value === undefined || value === 'none';
    if (idle || valueAt(tree, needed.split('.')) !== undefined) return [];
    const origin = origins.find(key.split('.'));
    const message = `has no effect without ${needed}`;
    return [{ code: 'config-contradiction', origin, key, message, suggestion: `set ${needed}` }];
  });
}

/** A cluster-wide key at the top of the local file: the error that Patroni's users make most. */
function explainMisplaced(warning: ConfigProblem): ConfigProblem {
  if (!keysAt(dynamicConfigSchema, []).includes(warning.key)) return warning;
  return {
    ...warning,
    code: 'config-misplaced-key',
    message:
      'has no effect here: it is the same on all members and belongs to the dynamic configuration',
    suggestion: `use pgbaton edit-config; for a new cluster write it under bootstrap.dcs`,
  };
}
