import { parseBoolean } from '../wire/config/scalars.ts';
import { isTree, valueAt } from './layer.ts';
import type { RawTree } from './layer.ts';

interface NotHonoured {
  readonly key: string;
  /** The value that asks for nothing, so that there is nothing to say. */
  readonly idle: (value: unknown) => boolean;
}

const always = (): boolean => false;
const off = (value: unknown): boolean =>
  ['string', 'boolean', 'number'].includes(typeof value) && parseBoolean(String(value)) === false;
const equals =
  (...idle: readonly unknown[]) =>
  (value: unknown): boolean =>
    idle.includes(typeof value === 'string' && value !== '' ? Number(value) : value);
const empty = (value: unknown): boolean =>
  isTree(value) ? Object.keys(value).length === 0 : Array.isArray(value) && value.length === 0;

const rows = (idle: NotHonoured['idle'], ...keys: readonly string[]): readonly NotHonoured[] =>
  keys.map((key) => ({ key, idle }));

/** Keys that are read and checked, but that nothing acts on yet. The one list: remove a row when it is built. */
const DYNAMIC: readonly NotHonoured[] = [
  ...rows(equals(0), 'primary_race_backoff'),
  ...rows(empty, 'slots', 'permanent_slots', 'permanent_replication_slots', 'ignore_slots'),
  ...rows(empty, 'standby_cluster'),
  ...rows(off, 'check_timeline'),
  ...rows(always, 'member_slots_ttl'),
];

const POSTGRESQL: readonly NotHonoured[] = [
  ...['parameters', 'pg_hba', 'pg_ident'].flatMap((key) =>
    rows(empty, ...['primary', 'replica', 'standby_leader'].map((role) => `${key}_${role}`)),
  ),
  ...rows(off, 'use_unix_socket_repl'),
  ...rows(always, 'config_base_name'),
].map(({ key, idle }) => ({ key: `postgresql.${key}`, idle }));

const LOCAL: readonly NotHonoured[] = [
  ...rows(always, 'citus', 'etcd', 'etcd3', 'zookeeper', 'exhibitor', 'kubernetes', 'raft'),
  ...rows(always, 'thread_pool_size', 'thread_stack_size'),
  ...rows(always, 'restapi.thread_pool_size', 'restapi.request_queue_size'),
  ...rows(always, 'log.format', 'log.dateformat', 'log.traceback_level', 'log.loggers'),
  ...rows(always, 'log.max_queue_size'),
  ...rows(off, 'log.deduplicate_heartbeat_logs'),
  ...rows(off, 'tags.nostream'),
  ...rows(always, 'tags.replicatefrom'),
];

/** Every key of the list, set or not. */
export const notHonouredKeys = (): readonly string[] =>
  [...DYNAMIC, ...POSTGRESQL, ...LOCAL].map(({ key }) => key);

/** Paths of the keys that were set and are not honoured yet, in the order of the list. */
export function notHonoured(local: RawTree, dynamic: RawTree): readonly string[] {
  const fromDynamic = [...DYNAMIC, ...POSTGRESQL].filter((row) => isSet(dynamic, row));
  const fromLocal = [...LOCAL, ...POSTGRESQL].filter((row) => isSet(local, row));
  const recovery = bootstrapRecovery(local);
  return [...new Set([...fromDynamic, ...fromLocal].map(({ key }) => key)), ...recovery];
}

function isSet(tree: RawTree, { key, idle }: NotHonoured): boolean {
  const value = valueAt(tree, key.split('.'));
  return value !== undefined && !idle(value);
}

function bootstrapRecovery(local: RawTree): readonly string[] {
  const method = valueAt(local, ['bootstrap', 'method']);
  if (typeof method !== 'string') return [];
  const keys = ['recovery_conf', 'keep_existing_recovery_conf'];
  return keys
    .filter((key) => valueAt(local, ['bootstrap', method, key]) !== undefined)
    .map((key) => `bootstrap.${method}.${key}`);
}
