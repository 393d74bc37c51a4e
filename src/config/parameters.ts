import type { GucValue } from '../core/settings.ts';
import { parseBoolean, parseBytes } from '../wire/config/scalars.ts';
import type { LocatedProblem } from './check.ts';
import type { Origins } from './layer.ts';
import { wrongValue } from './problem.ts';
import { describeValue } from './redact.ts';

export type Parameters = Readonly<Record<string, GucValue>>;

interface ClusterParameter {
  readonly initial: GucValue;
  readonly expected: string;
  readonly accepts: (value: GucValue) => boolean;
}

const atLeast = (initial: number, minimum: number): ClusterParameter => ({
  initial,
  expected: `a whole number of at least ${minimum}`,
  accepts: (value) => /^\s*\d+\s*$/.test(String(value)) && Number(value) >= minimum,
});

const onOff = (initial: boolean): ClusterParameter => ({
  initial: initial ? 'on' : 'off',
  expected: 'on or off',
  accepts: (value) => parseBoolean(value) !== undefined,
});

/**
 * Parameters that the dynamic configuration alone sets, with Patroni's defaults and minima: a
 * standby refuses to start when its own are smaller than its primary's, and any member may become
 * the primary.
 */
const CLUSTER_PARAMETERS: Readonly<Record<string, ClusterParameter>> = {
  max_connections: atLeast(100, 25),
  max_wal_senders: atLeast(10, 3),
  max_prepared_transactions: atLeast(0, 0),
  max_locks_per_transaction: atLeast(64, 32),
  max_replication_slots: atLeast(10, 4),
  max_worker_processes: atLeast(8, 2),
  track_commit_timestamp: onOff(false),
  wal_log_hints: onOff(true),
  wal_level: {
    initial: 'replica',
    expected: 'replica or logical',
    accepts: (value) => /^(replica|logical|hot_standby)$/i.test(String(value)),
  },
};

/** Set by the cluster as well, but in the file: a reload is enough to change it. */
const WAL_KEEP_SIZE: ClusterParameter = {
  initial: '128MB',
  expected: 'a size of at least 16MB',
  accepts: (value) => walKeepBytes(value) >= 16 * 1024 ** 2,
};

/** Without a unit the number counts megabytes. */
const walKeepBytes = (value: GucValue): number =>
  parseBytes(/^\s*\d+\s*$/.test(String(value)) ? `${String(value)}MB` : String(value)) ?? 0;

const FROM_DYNAMIC: Readonly<Record<string, ClusterParameter>> = {
  ...CLUSTER_PARAMETERS,
  wal_keep_size: WAL_KEEP_SIZE,
};

const FROM_DYNAMIC_NAMES = [...Object.keys(FROM_DYNAMIC), 'wal_keep_segments'];

/** Set by pgbaton itself from other settings; why each has no effect. */
const OWNED: Readonly<Record<string, string>> = {
  listen_addresses: 'set postgresql.listen instead',
  port: 'set postgresql.listen instead',
  cluster_name: 'it is the scope',
  hot_standby: 'it is always on',
  data_directory: 'set postgresql.data_dir instead',
  config_file: 'set postgresql.config_dir instead',
  primary_conninfo: 'pgbaton points every standby at its upstream',
  primary_slot_name: 'pgbaton names the slots',
  promote_trigger_file: 'pgbaton promotes',
  trigger_file: 'pgbaton promotes',
  standby_mode: 'pgbaton decides who is a standby',
};

/** Belong to recovery, and may be written among the parameters since PostgreSQL 12. */
const RECOVERY = new Set([
  'restore_command',
  'archive_cleanup_command',
  'recovery_end_command',
  'recovery_min_apply_delay',
]);

/** Wrong values of cluster-wide parameters; whoever goes on leaves them at their defaults. */
export function checkClusterParameters(
  given: Parameters,
  origins: Origins,
): readonly LocatedProblem[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const rule = FROM_DYNAMIC[name.toLowerCase()];
    if (rule === undefined || rule.accepts(value)) return [];
    const path = ['postgresql', 'parameters', name];
    const found = describeValue(path, value);
    const key = origins.name(path);
    return [{ ...wrongValue(origins.find(path), key, rule.expected, found), path }];
  });
}

export interface EffectiveParameters {
  readonly parameters: Parameters;
  readonly clusterParameters: Parameters;
  readonly recoveryConf: Parameters;
  readonly warnings: readonly string[];
}

/** Parameters by layer; the cluster-wide ones only from the dynamic one, the others local over dynamic. */
export function resolveParameters(layers: {
  readonly dynamic: Parameters;
  readonly local: Parameters;
  readonly recoveryConf: Parameters;
}): EffectiveParameters {
  const warnings: string[] = [];
  const dynamic = withoutOwned(convertWalKeep(layers.dynamic, warnings), warnings);
  const localAll = withoutOwned(layers.local, warnings);
  const misplaced = [...localAll.values()].filter(([name]) => isClusterWide(name));
  warnings.push(...misplaced.map(([name]) => misplacedWarning(name)));
  const local = reject(localAll, isClusterWide);
  const merged = new Map([...reject(dynamic, isCommandLine), ...local]);
  if (!merged.has('wal_keep_size')) merged.set('wal_keep_size', ['wal_keep_size', '128MB']);
  const recovery = withoutTargets(withoutOwned(layers.recoveryConf, warnings), warnings);
  const moved = select(merged, (name) => RECOVERY.has(name));
  const targets = withoutTargets(
    reject(merged, (name) => RECOVERY.has(name)),
    warnings,
  );
  return {
    parameters: toRecord(targets),
    clusterParameters: clusterParameters(dynamic),
    recoveryConf: toRecord(new Map([...moved, ...recovery])),
    warnings,
  };
}

/** By lower-case name, for PostgreSQL's names know no case; the spelling is kept. */
type ByName = ReadonlyMap<string, readonly [name: string, value: GucValue]>;

const isCommandLine = (name: string): boolean =>
  Object.hasOwn(CLUSTER_PARAMETERS, name.toLowerCase());
const isClusterWide = (name: string): boolean => FROM_DYNAMIC_NAMES.includes(name.toLowerCase());

function clusterParameters(dynamic: ByName): Parameters {
  return Object.fromEntries(
    Object.entries(CLUSTER_PARAMETERS).map(([name, { initial, accepts }]) => {
      const given = dynamic.get(name)?.[1];
      const value = given !== undefined && accepts(given) ? given : initial;
      return [name, value === 'hot_standby' ? 'replica' : value];
    }),
  );
}

function withoutOwned(given: Parameters, warnings: string[]): ByName {
  const byName = new Map<string, readonly [string, GucValue]>();
  for (const [name, value] of Object.entries(given)) {
    const owner = OWNED[name.toLowerCase()];
    const harmless = name.toLowerCase() === 'hot_standby' && parseBoolean(value) === true;
    if (owner === undefined) byName.set(name.toLowerCase(), [name, value]);
    else if (!harmless) warnings.push(`postgresql.parameters.${name}: has no effect: ${owner}`);
  }
  return byName;
}

/** Recovery targets stop a standby short of its primary, so that it can never follow. */
function withoutTargets(given: ByName, warnings: string[]): ByName {
  const isTarget = (name: string): boolean => name.startsWith('recovery_target');
  for (const [name] of select(given, isTarget).values()) {
    if (name.toLowerCase() === 'recovery_target_timeline') continue;
    warnings.push(`postgresql: ${name} has no effect: a standby follows to the end of the log`);
  }
  return reject(given, isTarget);
}

/** PostgreSQL 13 replaced segments by a size. */
function convertWalKeep(given: Parameters, warnings: string[]): Parameters {
  const byName = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  const segments = byName.get('wal_keep_segments');
  if (segments === undefined) return given;
  const rest = Object.entries(given).filter(([name]) => name.toLowerCase() !== 'wal_keep_segments');
  const size = `${Number(segments) * 16}MB`;
  const usable = Number.isInteger(Number(segments)) && Number(segments) > 0;
  if (byName.has('wal_keep_size') || !usable) return Object.fromEntries(rest);
  warnings.push(`postgresql.parameters.wal_keep_segments: taken as wal_keep_size ${size}`);
  return Object.fromEntries([...rest, ['wal_keep_size', size]]);
}

function misplacedWarning(name: string): string {
  const where = 'it is the same on all members and belongs to the dynamic configuration';
  return `postgresql.parameters.${name}: has no effect here: ${where} (pgbaton edit-config)`;
}

const select = (given: ByName, keep: (name: string) => boolean): ByName =>
  new Map([...given].filter(([name]) => keep(name)));

const reject = (given: ByName, drop: (name: string) => boolean): ByName =>
  select(given, (name) => !drop(name));

const toRecord = (given: ByName): Parameters => Object.fromEntries(given.values());
