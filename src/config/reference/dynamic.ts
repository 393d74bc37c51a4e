import { rows } from './row.ts';
import type { SettingReference } from './row.ts';

/** Cluster-wide settings: the Consul key `config`, and `bootstrap.dcs`, which becomes it. */
export const DYNAMIC_SETTINGS: readonly SettingReference[] = [
  ...rows('dynamic', '', [
    ['ttl', 's', '3', 'life of the leader lease; a dead leader is replaced after it'],
    ['heartbeat', 's', '0.5', 'how often the leader renews its lease'],
    [
      'fence_budget',
      's',
      '0.5',
      'what fencing may take; it begins this much before the lease ends',
    ],
    ['retry_timeout', 's', '2', 'how long an operation on Consul or Postgres is retried'],
    ['loop_wait', 's', '1', 'longest pause between two decisions when nothing wakes the agent'],
    ['promote_timeout', 's', 'max(ttl, 30)', 'longest promotion before the lease is given back'],
    ['primary_start_timeout', 's', '300', 'how long a crashed primary may recover; 0: hand over'],
    ['master_start_timeout', 's', '', 'old name of primary_start_timeout'],
    ['primary_stop_timeout', 's', '0', 'how long a stop may take before it is forced; 0: no bound'],
    ['master_stop_timeout', 's', '', 'old name of primary_stop_timeout'],
    [
      'primary_race_backoff',
      's',
      '0',
      'delay of the election while WAL of the old primary arrives',
    ],
    ['crash_restart_budget', 'count', '3', 'restarts in place after crashes within crash_window'],
    ['crash_window', 's', '60', 'time over which crash_restart_budget counts'],
    ['maximum_lag_on_failover', 'bytes', '1048576', 'a replica further behind does not take over'],
    [
      'maximum_lag_on_syncnode',
      'bytes',
      '-1',
      'a synchronous standby further behind is replaced; -1: no bound',
    ],
    ['check_timeline', 'boolean', 'off', 'only members on the newest timeline take over'],
    ['max_timelines_history', 'count', '0', 'entries kept in the history; 0: all'],
    ['synchronous_mode', 'off, on, quorum', 'off', 'whether commits wait for standbys'],
    ['synchronous_mode_strict', 'boolean', 'off', 'without a standby commits wait'],
    ['synchronous_node_count', 'count', '1', 'how many standbys a commit waits for'],
    ['failsafe_mode', 'boolean', 'on', 'keep the leader while Consul is down if all members agree'],
    ['pause', 'boolean', 'off', 'no automatic action'],
    ['member_slots_ttl', 's', '1800', 'how long the slot of a vanished member is kept; 0: not'],
    ['slots', 'mapping', '', 'slots that are kept over failovers'],
    ['permanent_slots', 'mapping', '', 'old name of slots'],
    ['permanent_replication_slots', 'mapping', '', 'old name of slots'],
    ['ignore_slots', 'list', '', 'slots that others manage'],
  ]),
  ...rows('dynamic', 'standby_cluster', [
    ['host', 'text', '', 'hosts of the remote primary'],
    ['port', 'port', '', 'port of the remote primary'],
    ['primary_slot_name', 'text', '', 'slot on the remote primary'],
    ['create_replica_methods', 'list', '', 'how the standby leader is made'],
    ['restore_command', 'command', '', 'how archived WAL is fetched'],
    ['archive_cleanup_command', 'command', '', 'what removes archived WAL'],
    ['recovery_min_apply_delay', 's', '', 'delay of the standby leader'],
  ]),
];
