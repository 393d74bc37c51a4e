/**
 * All that the probe wants to know, in one round trip and one plan. Branches that would fail in the
 * other role are guarded by CASE, which evaluates lazily since the functions are volatile. Right
 * after a promotion the checkpoint's timeline is stale: the name of the WAL file is not.
 * $1: whether to look at pg_settings, which costs most; $2: names of the parameters to show.
 */
export const PROBE_STATEMENT = {
  name: 'pgbaton-probe',
  text: `
SELECT r.in_recovery,
  CASE WHEN r.in_recovery THEN NULL
    ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()) END AS wal_file,
  CASE WHEN r.in_recovery THEN NULL
    ELSE pg_catalog.pg_current_wal_flush_lsn()::text END AS flush_lsn,
  CASE WHEN r.in_recovery THEN pg_catalog.pg_last_wal_receive_lsn()::text END AS received_lsn,
  CASE WHEN r.in_recovery THEN pg_catalog.pg_last_wal_replay_lsn()::text END AS replayed_lsn,
  CASE WHEN r.in_recovery THEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
    WHERE a.backend_type = 'startup'
      AND a.wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')) END AS replayed_all,
  CASE WHEN r.in_recovery THEN (extract(epoch FROM
    pg_catalog.pg_last_xact_replay_timestamp()) * 1000)::float8 END AS replayed_at,
  CASE WHEN r.in_recovery THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END AS replay_paused,
  CASE WHEN r.in_recovery THEN (SELECT GREATEST(c.timeline_id, v.min_recovery_end_timeline)
    FROM pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() v)
    ELSE 0 END AS control_timeline,
  CASE WHEN r.in_recovery
    THEN pg_catalog.current_setting('primary_conninfo') END AS primary_conninfo,
  CASE WHEN r.in_recovery THEN (SELECT pg_catalog.json_build_object(
    'status', w.status, 'received_tli', w.received_tli, 'latest_end_lsn', w.latest_end_lsn::text,
    'sender_host', w.sender_host, 'sender_port', w.sender_port)
    FROM pg_catalog.pg_stat_wal_receiver w) END AS receiver,
  pg_catalog.current_setting('synchronous_standby_names') AS synchronous_standby_names,
  (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'usename', s.usename, 'application_name', s.application_name,
    'client_addr', pg_catalog.host(s.client_addr), 'state', s.state, 'sync_state', s.sync_state,
    'sync_priority', s.sync_priority, 'sent_lsn', s.sent_lsn::text,
    'flush_lsn', s.flush_lsn::text, 'replay_lsn', s.replay_lsn::text)), '[]'::json)
    FROM pg_catalog.pg_stat_replication s) AS replication,
  (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'slot_name', l.slot_name, 'slot_type', l.slot_type, 'active', l.active,
    'restart_lsn', l.restart_lsn::text, 'wal_status', l.wal_status)), '[]'::json)
    FROM pg_catalog.pg_replication_slots l) AS slots,
  CASE WHEN $1::bool THEN (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
    'name', g.name, 'setting', g.setting, 'pending', g.pending_restart,
    'configured', CASE WHEN g.pending_restart THEN (SELECT f.setting
      FROM pg_catalog.pg_file_settings f WHERE f.name = g.name
      ORDER BY f.seqno DESC LIMIT 1) END)), '[]'::json)
    FROM pg_catalog.pg_settings g
    WHERE g.pending_restart OR g.name = ANY ($2::text[])) END AS parameters
FROM (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery OFFSET 0) r`,
};

export const SESSION_STATEMENT = {
  name: 'pgbaton-session',
  text: `
SELECT pg_catalog.current_setting('server_version_num')::int AS server_version_number,
  pg_catalog.pg_postmaster_start_time()::text AS postmaster_started_at,
  s.system_identifier::text AS system_identifier
FROM pg_catalog.pg_control_system() s`,
};
