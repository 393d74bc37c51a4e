import { TIMING_KEYS, checkTiming, timingField, timingWithDefaults } from '../core/timing.ts';
import type { Timing } from '../core/settings.ts';
import type { Millis } from '../core/time.ts';
import { dynamicConfigSchema } from '../wire/config/dynamic.ts';
import type { DynamicConfig } from '../wire/config/dynamic.ts';
import { HOST_ONLY_KEYS } from '../wire/config/postgresql.ts';
import { checkTree, prune } from './check.ts';
import type { LocatedProblem } from './check.ts';
import { valueAt, without } from './layer.ts';
import type { Layer, Origins, Path, RawTree } from './layer.ts';
import { checkMethods } from './methods.ts';
import type { CustomMethods } from './methods.ts';
import { checkClusterParameters } from './parameters.ts';
import type { ConfigProblem } from './problem.ts';

export interface DynamicState {
  readonly config: DynamicConfig;
  /** Replica creation methods by name. */
  readonly methods: CustomMethods;
  /** Undefined when the times do not work together, or one of them is no time. */
  readonly timing: Timing | undefined;
  /** What was read: pruned, without the keys that name one host. */
  readonly tree: RawTree;
  /** What is refused from an operator; each was left out of `config`. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export const EMPTY_DYNAMIC: DynamicState = {
  config: {},
  methods: {},
  timing: timingWithDefaults({}),
  tree: {},
  problems: [],
  warnings: [],
};

/**
 * Reads a dynamic configuration and never fails: what is wrong is left out and reported. Whoever
 * sets a new one refuses it when there are problems; whoever finds one goes on with the rest.
 */
export function readDynamic(whole: RawTree, origins: Origins): DynamicState {
  const pruned = prune(whole);
  const hostKeys = HOST_ONLY_KEYS.map((key) => ['postgresql', key]).filter(
    (path) => valueAt(pruned, path) !== undefined,
  );
  const layer: Layer = { tree: hostKeys.reduce<RawTree>(without, pruned), origins };
  const usable = leaveOutWrong(layer);
  const { postgresql } = usable.config;
  const named = postgresql?.create_replica_methods ?? postgresql?.create_replica_method ?? [];
  const methods = checkMethods(dynamicConfigSchema, layer, ['postgresql'], named);
  const timing = readTiming(usable, origins);
  return {
    config: usable.config,
    methods: methods.methods,
    timing: timing.value,
    tree: layer.tree,
    problems: [
      ...usable.problems,
      ...timing.problems,
      ...methods.problems,
      ...checkClusterParameters(postgresql?.parameters ?? {}, origins),
    ],
    warnings: [
      ...usable.warnings,
      ...methods.warnings,
      ...hostKeys.map((path) => hostKeyWarning(path, origins)),
    ],
  };
}

interface Usable {
  readonly config: DynamicConfig;
  readonly problems: readonly LocatedProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** Removing one wrong value can uncover another only where a schema checks in stages: few rounds do. */
const ROUNDS = 5;

function leaveOutWrong(layer: Layer): Usable {
  let { tree } = layer;
  const problems: LocatedProblem[] = [];
  const warnings: ConfigProblem[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const checked = checkTree(dynamicConfigSchema, { tree, origins: layer.origins });
    problems.push(...checked.problems);
    warnings.push(...checked.warnings);
    if (checked.value !== undefined) return { config: checked.value, problems, warnings };
    tree = checked.problems
      .map(({ path }) => settingOf(path))
      .reduce<RawTree>(without, checked.tree);
  }
  return { config: {}, problems, warnings };
}

/** A list with a wrong element is wrong as a whole: half a pg_hba is another pg_hba. */
function settingOf(path: Path): Path {
  const element = path.findIndex((step) => typeof step === 'number');
  return element < 0 ? path : path.slice(0, element);
}

function readTiming(
  { config, problems }: Usable,
  origins: Origins,
): { readonly value: Timing | undefined; readonly problems: readonly ConfigProblem[] } {
  const names: readonly string[] = [...TIMING_KEYS, 'master_start_timeout', 'master_stop_timeout'];
  if (problems.some(({ path }) => names.includes(String(path[0])))) {
    return { value: undefined, problems: [] };
  }
  const given: Record<(typeof TIMING_KEYS)[number], Millis | undefined> = {
    ttl: config.ttl,
    heartbeat: config.heartbeat,
    fence_budget: config.fence_budget,
    retry_timeout: config.retry_timeout,
    loop_wait: config.loop_wait,
    promote_timeout: config.promote_timeout,
    primary_hang_timeout: config.primary_hang_timeout,
    primary_start_timeout: config.primary_start_timeout ?? config.master_start_timeout,
    primary_stop_timeout: config.primary_stop_timeout ?? config.master_stop_timeout,
  };
  const set = TIMING_KEYS.flatMap((key) => {
    const millis = given[key];
    return millis === undefined ? [] : [[timingField(key), millis] as const];
  });
  const timing = timingWithDefaults(Object.fromEntries(set));
  const violations = checkTiming(timing).map(({ key, message, remedy }): ConfigProblem => {
    const code = 'config-timing';
    const origin = origins.find([key]);
    return { code, origin, key: origins.name([key]), message, suggestion: remedy };
  });
  return { value: violations.length === 0 ? timing : undefined, problems: violations };
}

function hostKeyWarning(path: Path, origins: Origins): ConfigProblem {
  return {
    code: 'config-misplaced-key',
    origin: origins.find(path),
    key: origins.name(path),
    message: 'has no effect in the dynamic configuration: it names one host',
    suggestion: `set ${path.join('.')} in the local configuration of each member`,
  };
}
