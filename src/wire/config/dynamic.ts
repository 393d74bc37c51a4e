import { z } from 'zod';
import {
  bytes,
  duration,
  flag,
  integer,
  parseBoolean,
  port,
  refuse,
  text,
  textList,
} from './scalars.ts';
import { dynamicPostgresqlSchema } from './postgresql.ts';

const synchronousMode = () => {
  const error = 'off, on or quorum';
  return z.union([z.boolean(), z.string()], { error }).transform((value, context) => {
    if (String(value).toLowerCase() === 'quorum') return 'quorum' as const;
    const on = parseBoolean(value);
    if (on === undefined) return refuse(context, error);
    return on ? ('on' as const) : ('off' as const);
  });
};

const slots = () => z.record(z.string(), z.json(), { error: 'a mapping of slot names' });

const standbyCluster = z.strictObject({
  host: text('host names').optional(),
  port: z.union([port(), text()], { error: 'a port' }).optional(),
  primary_slot_name: text().optional(),
  create_replica_methods: textList('method names').optional(),
  restore_command: text('a command').optional(),
  archive_cleanup_command: text('a command').optional(),
  recovery_min_apply_delay: duration().optional(),
});

/**
 * The dynamic configuration: the Consul key `config`, and `bootstrap.dcs`, which becomes it. Patroni's
 * names; times come out in milliseconds, sizes in bytes. The relations between the times are checked
 * by `checkTiming`.
 */
export const dynamicConfigSchema = z.strictObject({
  ttl: duration().optional(),
  heartbeat: duration().optional(),
  fence_budget: duration().optional(),
  loop_wait: duration().optional(),
  retry_timeout: duration().optional(),
  promote_timeout: duration().optional(),
  primary_start_timeout: duration().optional(),
  master_start_timeout: duration().optional(),
  primary_hang_timeout: duration().optional(),
  primary_stop_timeout: duration().optional(),
  master_stop_timeout: duration().optional(),
  primary_race_backoff: duration().optional(),
  crash_restart_budget: integer(0, 1000).optional(),
  crash_window: duration(1000).optional(),
  maximum_lag_on_failover: bytes().optional(),
  maximum_lag_on_syncnode: bytes(-1).optional(),
  check_timeline: flag().optional(),
  max_timelines_history: integer(0).optional(),
  synchronous_mode: synchronousMode().optional(),
  synchronous_mode_strict: flag().optional(),
  synchronous_node_count: integer(1).optional(),
  failsafe_mode: flag().optional(),
  pause: flag().optional(),
  member_slots_ttl: duration().optional(),
  slots: slots().optional(),
  permanent_slots: slots().optional(),
  permanent_replication_slots: slots().optional(),
  ignore_slots: z.array(z.record(z.string(), z.json()), { error: 'a list of slots' }).optional(),
  standby_cluster: standbyCluster.optional(),
  postgresql: dynamicPostgresqlSchema.optional(),
});

export type DynamicConfig = z.output<typeof dynamicConfigSchema>;
