import { BugError } from '../../core/assert.ts';
import type { GucValue, PostgresSettings } from '../../core/settings.ts';
import type { ControlLimits } from '../../wire/postgres/control-data.ts';

/** Default and least value of parameters that only the cluster decides: Patroni's numbers. */
const CLUSTER_NUMBERS = {
  max_connections: { initial: 100, least: 25 },
  max_wal_senders: { initial: 10, least: 3 },
  max_prepared_transactions: { initial: 0, least: 0 },
  max_locks_per_transaction: { initial: 64, least: 32 },
  max_replication_slots: { initial: 10, least: 4 },
  max_worker_processes: { initial: 8, least: 2 },
} as const;

type ClusterNumber = keyof typeof CLUSTER_NUMBERS;

/** A standby does not start with less than its primary had: these are compared with pg_control. */
const LIMITED: readonly (keyof ControlLimits)[] = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
];

/** Never taken from an operator: they would undo what keeps two primaries apart, or belong to the command line. */
const REFUSED = new Set([
  'config_file',
  'data_directory',
  'external_pid_file',
  'hba_file',
  'hot_standby',
  'listen_addresses',
  'port',
  'cluster_name',
  'restart_after_crash',
  'unix_socket_directories',
  'wal_level',
  'wal_log_hints',
  'track_commit_timestamp',
  'promote_trigger_file',
  'standby_mode',
  'trigger_file',
  'primary_conninfo',
  'primary_slot_name',
  ...Object.keys(CLUSTER_NUMBERS),
]);

/** Read from the settings, but written to the command line. */
const TAKEN_ELSEWHERE = new Set(['hba_file', 'unix_socket_directories']);

/** Recovery parameters: written only from `recovery_conf`, and stripped from postgresql.auto.conf. */
const RECOVERY_TARGETS = new Set([
  'recovery_target',
  'recovery_target_action',
  'recovery_target_inclusive',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_xid',
]);

const RECOVERY_PARAMETERS = new Set([
  'recovery_target_timeline',
  'restore_command',
  'archive_cleanup_command',
  'recovery_end_command',
  'recovery_min_apply_delay',
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)*$/;

const truthy = (value: GucValue | undefined): boolean =>
  value === true || ['on', 'true', 'yes', '1'].includes(String(value ?? '').toLowerCase());

/** As Postgres shows it: on, off, a number or text. */
export function formatGuc(value: GucValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}

/** A quoted value of postgresql.conf. Source: guc-file.l, GUC_scanstr. */
export const quoteGuc = (value: GucValue): string =>
  `'${formatGuc(value).replace(/\\/g, '\\\\').replace(/'/g, "''").replace(/\n/g, '\\n')}'`;

function clusterNumber(settings: PostgresSettings, name: ClusterNumber): number {
  const { initial, least } = CLUSTER_NUMBERS[name];
  const configured = Number(settings.clusterParameters[name] ?? initial);
  return Number.isInteger(configured) ? Math.max(configured, least) : initial;
}

/**
 * Parameters that go on the postmaster's command line, so that nothing in the data directory
 * overrides them.
 */
export function ownedParameters(
  settings: PostgresSettings,
  scope: string,
): Readonly<Record<string, string>> {
  const numbers = Object.keys(CLUSTER_NUMBERS).map((name) => [
    name,
    String(clusterNumber(settings, name as ClusterNumber)),
  ]);
  const { wal_level: walLevel, track_commit_timestamp: track } = settings.clusterParameters;
  return {
    listen_addresses: settings.listenAddresses,
    port: String(settings.port),
    cluster_name: scope,
    hot_standby: 'on',
    wal_level: walLevel === 'logical' ? 'logical' : 'replica',
    wal_log_hints: 'on',
    track_commit_timestamp: truthy(track) ? 'on' : 'off',
    ...Object.fromEntries(numbers),
    // A backend's crash ends the postmaster, and the agent decides: the postmaster's own restart
    // would come back with nobody told.
    restart_after_crash: 'off',
  };
}

/** The owned parameters for a start, raised to what the former primary ran with where needed. */
export function raiseToLimits(
  owned: Readonly<Record<string, string>>,
  limits: ControlLimits,
): Readonly<Record<string, string>> {
  const raised = LIMITED.map((name) => {
    const configured = owned[name];
    if (configured === undefined) throw new BugError(`${name} is not owned`);
    return [name, String(Math.max(Number(configured), limits[name]))];
  });
  return { ...owned, ...Object.fromEntries(raised) };
}

/** Whether one of them is smaller than what the former primary ran with. */
export const isRaised = (owned: Readonly<Record<string, string>>, limits: ControlLimits): boolean =>
  LIMITED.some((name) => Number(owned[name]) < limits[name]);

export interface FileParameters {
  readonly accepted: Readonly<Record<string, GucValue>>;
  /** Names that were left out, for a warning. */
  readonly refused: readonly string[];
}

const INITIAL_FILE_PARAMETERS = {
  wal_keep_size: '128MB',
  // How long a standby waits before it tries its new upstream, 5 s by default: the failover is over by then.
  wal_retrieve_retry_interval: '500ms',
} as const;

/** Parameters that go into the generated postgresql.conf. */
export function fileParameters(settings: PostgresSettings): FileParameters {
  const cluster = Object.entries(settings.clusterParameters).filter(([name]) => !REFUSED.has(name));
  const wanted = Object.entries({
    ...INITIAL_FILE_PARAMETERS,
    ...Object.fromEntries(cluster),
    ...settings.parameters,
  });
  const recovery = Object.entries(settings.recoveryConf);
  const isAllowed = (name: string): boolean =>
    NAME.test(name) && !REFUSED.has(name) && !isRecovery(name);
  const isAllowedRecovery = (name: string): boolean => RECOVERY_PARAMETERS.has(name);
  return {
    accepted: {
      ...Object.fromEntries(wanted.filter(([name]) => isAllowed(name))),
      recovery_target_timeline: 'latest',
      ...Object.fromEntries(recovery.filter(([name]) => isAllowedRecovery(name))),
    },
    refused: [
      ...wanted.filter(([name]) => !isAllowed(name) && !TAKEN_ELSEWHERE.has(name)),
      ...recovery.filter(([name]) => !isAllowedRecovery(name)),
    ].map(([name]) => name),
  };
}

const isRecovery = (name: string): boolean =>
  RECOVERY_TARGETS.has(name) || RECOVERY_PARAMETERS.has(name);

/** Removes from postgresql.auto.conf what would override the generated file. */
export function stripAutoConf(text: string): string {
  return text
    .split('\n')
    .filter((line) => {
      const name = /^\s*([A-Za-z_][A-Za-z0-9_.$]*)/.exec(line)?.[1]?.toLowerCase();
      return name === undefined || !(isRecovery(name) || STRIPPED.has(name));
    })
    .join('\n');
}

const STRIPPED = new Set([
  'hba_file',
  'primary_conninfo',
  'primary_slot_name',
  'promote_trigger_file',
  'restart_after_crash',
]);
