import type { JsonObject } from '../core/json.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import type { MemberSettings, Policy, Settings, Tags, Timing } from '../core/settings.ts';
import { TIMING_KEYS } from '../core/timing.ts';
import { formatHostPort } from '../wire/config/addresses.ts';
import { DEFAULT_POLICY } from './defaults.ts';
import { readDynamic } from './dynamic.ts';
import type { DynamicState } from './dynamic.ts';
import { Origins } from './layer.ts';
import { loadClientConfig, loadConfig } from './load.ts';
import type { LoadedConfig } from './load.ts';
import { notHonoured } from './not-honoured.ts';
import { overlayPostgresql, resolveBootstrap, resolvePostgres } from './postgres.ts';
import { configFailure, formatProblem } from './problem.ts';
import type { ConfigFailure, ConfigProblem } from './problem.ts';
import { resolveClient, resolveNamespace, resolveServices } from './services.ts';
import type { ConfigSource } from './sources.ts';
import { resolveSynchronous, synchronousWarnings } from './synchronous.ts';
import { resolveTags } from './tags.ts';
import type { ClientSettings, ConfiguredSource } from './types.ts';
import { resolveWatchdog, watchdogMisfit, watchdogWarnings } from './watchdog.ts';

/**
 * Reads the local configuration and keeps it merged with the dynamic one. Until the `config` key has
 * been read, `bootstrap.dcs` stands in for it: in a new cluster it is what will be written there.
 */
export async function createSettingsSource(
  source: ConfigSource,
): Promise<Result<ConfiguredSource, ConfigFailure>> {
  // A copy, so that the variables can be taken from the process before it starts others.
  const kept: ConfigSource = { ...source, environment: { ...source.environment } };
  const loaded = await loadConfig(kept);
  if (!loaded.ok) return err(configFailure(loaded.error.problems));
  return ok(settingsOver(kept, loaded.value));
}

/** What the command line client takes from the same file, and from the same variables. */
export async function loadClientSettings(
  source: ConfigSource,
): Promise<Result<ClientSettings, ConfigFailure>> {
  const loaded = await loadClientConfig(source);
  return loaded.ok ? ok(resolveClient(loaded.value)) : err(configFailure(loaded.error.problems));
}

/** Settings as they are before the dynamic configuration has been read. */
export function resolveLoaded(loaded: LoadedConfig): Settings {
  const dynamic = loaded.bootstrapDynamic;
  return resolveSettings(loaded, dynamic, dynamic.timing ?? DEFAULT_POLICY.timing, []);
}

/** The settings of a configuration that has been read and checked. */
export function settingsOver(source: ConfigSource, first: LoadedConfig): ConfiguredSource {
  let loaded = first;
  let dynamic = first.bootstrapDynamic;
  let timing = dynamic.timing ?? DEFAULT_POLICY.timing;
  let fixedWarnings: readonly string[] = [];
  const resolve = (): Settings => resolveSettings(loaded, dynamic, timing, fixedWarnings);
  let settings = resolve();

  return {
    current: () => settings,
    services: () => resolveServices(loaded.config),
    applyDynamic(given: JsonObject | undefined): Settings {
      if (given === undefined) return settings;
      dynamic = readDynamic(given, dynamicOrigins());
      timing = dynamic.timing ?? timing;
      settings = resolve();
      return settings;
    },
    async reload(): Promise<Result<Settings, ConfigFailure>> {
      const read = await loadConfig(source);
      if (!read.ok) return err(configFailure(read.error.problems));
      const untouched = dynamic === loaded.bootstrapDynamic;
      ({ loaded, warnings: fixedWarnings } = keepFixed(first, read.value));
      if (untouched) dynamic = loaded.bootstrapDynamic;
      if (untouched) timing = dynamic.timing ?? timing;
      settings = resolve();
      return ok(settings);
    },
    validateDynamic(given: JsonObject) {
      const state = readDynamic(given, dynamicOrigins());
      if (state.problems.length > 0) return err(configFailure(state.problems));
      const unwatched = leavesNoLeader(loaded, state.timing ?? timing);
      if (unwatched !== undefined) return err(configFailure([unwatched]));
      const trial = resolveSettings(loaded, state, state.timing ?? timing, []);
      const known = new Set(resolveSettings(loaded, NOTHING, timing, []).warnings);
      return ok({ warnings: trial.warnings.filter((warning) => !known.has(warning)) });
    },
  };
}

const NOTHING: DynamicState = readDynamic({}, new Origins());

/** Times under which this member, and so every one that is configured like it, would not lead any more. */
function leavesNoLeader({ config }: LoadedConfig, timing: Timing): ConfigProblem | undefined {
  const watchdog = resolveWatchdog(config);
  const misfit = watchdog?.mode === 'required' ? watchdogMisfit(watchdog, timing) : undefined;
  if (misfit === undefined) return undefined;
  return {
    code: 'config-timing',
    origin: dynamicOrigins().find(['ttl']),
    key: 'ttl',
    message: `watchdog.mode is required here, and ${misfit.message}`,
    suggestion: misfit.remedy,
  };
}

function dynamicOrigins(): Origins {
  const origins = new Origins();
  origins.set([], { kind: 'document', name: 'dynamic configuration' });
  return origins;
}

/** An agent cannot become another member of another cluster under a running Postgres. */
function keepFixed(
  before: LoadedConfig,
  after: LoadedConfig,
): { readonly loaded: LoadedConfig; readonly warnings: readonly string[] } {
  const { scope, name, namespace } = before.config;
  const { data_dir: dataDir } = before.config.postgresql;
  const changed = [
    ...(after.config.scope === scope ? [] : ['scope']),
    ...(after.config.name === name ? [] : ['name']),
    ...(resolveNamespace(after.config.namespace) === resolveNamespace(namespace)
      ? []
      : ['namespace']),
    ...(after.config.postgresql.data_dir === dataDir ? [] : ['postgresql.data_dir']),
  ];
  const postgresql = { ...after.config.postgresql, data_dir: dataDir };
  return {
    loaded: { ...after, config: { ...after.config, scope, name, namespace, postgresql } },
    warnings: changed.map((key) => `${key}: a change takes effect when pgbaton is started again`),
  };
}

function resolveSettings(
  loaded: LoadedConfig,
  dynamic: DynamicState,
  timing: Timing,
  further: readonly string[],
): Settings {
  const { tags, warnings: tagWarnings } = resolveTags(loaded.config.tags);
  const { postgres, warnings } = resolvePostgres(loaded, dynamic);
  const policy = resolvePolicy(loaded, dynamic, timing);
  const watchdog = resolveWatchdog(loaded.config);
  return {
    member: resolveMember(loaded, postgres.database, tags),
    policy,
    postgres,
    bootstrap: resolveBootstrap(loaded),
    watchdog,
    notHonoured: notHonoured(loaded.tree, dynamic.tree),
    warnings: [
      ...loaded.warnings.map(formatProblem),
      ...ignoredLocally(loaded),
      ...tagWarnings,
      ...warnings,
      ...watchdogWarnings(watchdog, timing),
      ...synchronousWarnings(policy.synchronous, postgres.parameters),
      ...further,
      // Those of bootstrap.dcs are among the local ones already, with their place.
      ...(dynamic === loaded.bootstrapDynamic ? [] : dynamicWarnings(dynamic)),
    ],
  };
}

const TIMES: readonly string[] = TIMING_KEYS;

function dynamicWarnings(dynamic: DynamicState): readonly string[] {
  const kept = (problem: ConfigProblem): string =>
    problem.code === 'config-timing' || TIMES.includes(problem.key)
      ? 'the last valid timing stays in force'
      : 'left out, the default holds';
  return [
    ...dynamic.problems.map((problem) => `${formatProblem(problem)}: ${kept(problem)}`),
    ...dynamic.warnings.map(formatProblem),
  ];
}

function ignoredLocally({ config }: LoadedConfig): readonly string[] {
  if (config.postgresql.use_slots === undefined) return [];
  return ['postgresql.use_slots: has no effect here: it belongs to the dynamic configuration'];
}

function resolveMember(loaded: LoadedConfig, database: string, tags: Tags): MemberSettings {
  const { config } = loaded;
  const { connect_address: connect, proxy_address: proxy } = config.postgresql;
  const scheme = config.restapi.certfile === undefined ? 'http' : 'https';
  const path = `/${encodeURIComponent(database)}`;
  return {
    scope: config.scope,
    namespace: resolveNamespace(config.namespace),
    name: config.name,
    tags,
    apiUrl: `${scheme}://${formatHostPort(config.restapi.connect_address)}/patroni`,
    connUrl: `postgres://${formatHostPort(connect)}${path}`,
    proxyUrl: proxy === undefined ? undefined : `postgres://${formatHostPort(proxy)}${path}`,
  };
}

function resolvePolicy(loaded: LoadedConfig, { config }: DynamicState, timing: Timing): Policy {
  const fallback = DEFAULT_POLICY;
  const shared = overlayPostgresql(loaded.config.postgresql, config.postgresql ?? {});
  return {
    timing,
    maximumLagOnFailoverBytes: config.maximum_lag_on_failover ?? fallback.maximumLagOnFailoverBytes,
    checkTimeline: config.check_timeline ?? fallback.checkTimeline,
    maxTimelinesHistory: config.max_timelines_history ?? fallback.maxTimelinesHistory,
    failsafe: config.failsafe_mode ?? fallback.failsafe,
    pause: config.pause ?? fallback.pause,
    crashRestartBudget: config.crash_restart_budget ?? fallback.crashRestartBudget,
    crashWindowMillis: config.crash_window ?? fallback.crashWindowMillis,
    memberSlotsTtlMillis: config.member_slots_ttl ?? fallback.memberSlotsTtlMillis,
    useSlots: config.postgresql?.use_slots ?? fallback.useSlots,
    usePgRewind: shared.use_pg_rewind ?? fallback.usePgRewind,
    recloneOnRewindFailure:
      shared.remove_data_directory_on_rewind_failure ?? fallback.recloneOnRewindFailure,
    recloneOnDivergence:
      shared.remove_data_directory_on_diverged_timelines ?? fallback.recloneOnDivergence,
    synchronous: resolveSynchronous(config),
  };
}
