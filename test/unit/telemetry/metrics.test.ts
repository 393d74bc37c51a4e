import { afterEach, describe, expect, it } from 'vitest';
import type { MemberStatus } from '../../../src/agent/facade.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { OWN_GAUGES, PATRONI_METRICS } from '../../../src/telemetry/gauge-table.ts';
import { EVENT_METRICS } from '../../../src/telemetry/metric-table.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import {
  CLUSTER,
  createFakeAgent,
  present,
  PRIMARY,
  PRIMARY_FACTS,
  recordingLogger,
  REPLICA,
  STANDBY_LEADER,
  withSync,
  type FakeAgent,
} from '../api/fake-agent.ts';

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close();
});

function metricsOf(name = 'pg1') {
  const logger = recordingLogger();
  const metrics = createMetrics({ scope: 'demo', name, logger });
  open.push(metrics);
  return { metrics, logger };
}

/** Samples by name with all labels but scope and name. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(\w+)\{(.*)\} (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = (match[2] ?? '')
      .split(',')
      .filter((label) => !/^(scope|name)=/.test(label))
      .join(',');
    samples.set(labels === '' ? String(match[1]) : `${match[1]}{${labels}}`, Number(match[3]));
  }
  return samples;
}

async function scrape(
  state: MemberStatus,
  tags = {},
  change: Partial<FakeAgent> = {},
): Promise<Map<string, number>> {
  const { metrics } = metricsOf();
  const agent = Object.assign(createFakeAgent(state), change);
  agent.tags = tags;
  metrics.attach(agent);
  return parse(await metrics.text());
}

/** Patroni 4.1, with the types its dashboards rely on. */
const CONTRACT: readonly (readonly [string, 'gauge' | 'counter'])[] = [
  ['patroni_version', 'gauge'],
  ['patroni_postgres_running', 'gauge'],
  ['patroni_postmaster_start_time', 'gauge'],
  ['patroni_postgres_timeline', 'gauge'],
  ['patroni_primary', 'gauge'],
  ['patroni_standby_leader', 'gauge'],
  ['patroni_replica', 'gauge'],
  ['patroni_sync_standby', 'gauge'],
  ['patroni_quorum_standby', 'gauge'],
  ['patroni_xlog_location', 'counter'],
  ['patroni_xlog_received_location', 'counter'],
  ['patroni_xlog_replayed_location', 'counter'],
  ['patroni_xlog_replayed_timestamp', 'gauge'],
  ['patroni_xlog_paused', 'gauge'],
  ['patroni_postgres_streaming', 'gauge'],
  ['patroni_postgres_in_archive_recovery', 'gauge'],
  ['patroni_postgres_server_version', 'gauge'],
  ['patroni_cluster_unlocked', 'gauge'],
  ['patroni_failsafe_mode_is_active', 'gauge'],
  ['patroni_failsafe_mode_enabled', 'gauge'],
  ['patroni_failsafe_member', 'gauge'],
  ['patroni_dcs_last_seen', 'gauge'],
  ['patroni_pending_restart', 'gauge'],
  ['patroni_is_paused', 'gauge'],
  ['patroni_postgres_state', 'gauge'],
  ['patroni_failover_priority', 'gauge'],
];

describe("Patroni's metrics", () => {
  it.each(CONTRACT)('%s is there as a %s with help and a value', async (name, type) => {
    const { metrics } = metricsOf();
    metrics.attach(createFakeAgent());
    const text = await metrics.text();
    expect(text).toContain(`# HELP ${name} `);
    expect(text).toContain(`# TYPE ${name} ${type}\n`);
    expect(text).toMatch(new RegExp(`^${name}\\{scope="demo",name="pg1"\\} \\S+$`, 'm'));
  });

  it('describe a primary', async () => {
    const samples = await scrape(PRIMARY);
    expect(Object.fromEntries(samples)).toMatchObject({
      patroni_version: 100,
      patroni_postgres_running: 1,
      patroni_postmaster_start_time: Date.UTC(2026, 0, 31, 12, 0, 0, 123) / 1000,
      patroni_postgres_timeline: 2,
      patroni_primary: 1,
      patroni_standby_leader: 0,
      patroni_replica: 0,
      patroni_xlog_location: 50331976,
      patroni_xlog_received_location: 0,
      patroni_xlog_replayed_location: 0,
      patroni_xlog_replayed_timestamp: 0,
      patroni_postgres_streaming: 0,
      patroni_postgres_server_version: 150020,
      patroni_cluster_unlocked: 0,
      patroni_failsafe_mode_enabled: 1,
      patroni_failsafe_member: 1,
      patroni_dcs_last_seen: 1769860801,
      patroni_pending_restart: 0,
      patroni_is_paused: 0,
      patroni_postgres_state: 5,
      patroni_failover_priority: 1,
      pgbaton_holds_lease: 1,
      pgbaton_accepts_writes: 1,
      pgbaton_lease_left_seconds: 2.5,
      pgbaton_generation: 7,
    });
  });

  it('describe a standby', async () => {
    const samples = await scrape(REPLICA, { nofailover: true });
    expect(Object.fromEntries(samples)).toMatchObject({
      patroni_primary: 0,
      patroni_replica: 1,
      patroni_xlog_location: 0,
      patroni_xlog_received_location: 1000,
      patroni_xlog_replayed_location: 900,
      patroni_xlog_replayed_timestamp: Date.UTC(2026, 0, 31, 12, 0, 0, 123) / 1000,
      patroni_postgres_streaming: 1,
      patroni_failover_priority: 0,
      pgbaton_holds_lease: 0,
      pgbaton_lease_left_seconds: 0,
    });
  });

  it.each<[string, MemberStatus, string, number]>([
    ['a standby leader', STANDBY_LEADER, 'patroni_standby_leader', 1],
    ['a primary whose lease is gone', { ...PRIMARY, holdsLease: false }, 'patroni_primary', 0],
    ['a crash', { ...PRIMARY, state: 'crashed' }, 'patroni_postgres_state', 14],
    ['a crash', { ...PRIMARY, state: 'crashed' }, 'patroni_xlog_location', 0],
    ['an unknown state', { ...PRIMARY, state: 'unknown' }, 'patroni_postgres_state', -1],
    ['a pause', { ...PRIMARY, paused: true }, 'patroni_is_paused', 1],
    ['a pending restart', { ...PRIMARY, pendingRestart: {} }, 'patroni_pending_restart', 1],
  ])('show %s', async (_title, state, name, value) => {
    expect((await scrape(state)).get(name)).toBe(value);
  });
});

describe('metrics of synchronous replication', () => {
  const listing = (...standbys: readonly string[]) => ({
    record: withSync('pg9', ...standbys),
    ageMillis: 1,
  });

  it.each([
    ['on', listing('pg1'), REPLICA, 1, 0],
    ['quorum', listing('pg1'), REPLICA, 0, 1],
    ['off', listing('pg1'), REPLICA, 0, 0],
    ['on', listing('pg2'), REPLICA, 0, 0],
    ['on', undefined, REPLICA, 0, 0],
    ['on', listing('pg1'), { ...REPLICA, storeSeenMillis: 60_000 }, 0, 0],
    ['on', listing('pg1'), PRIMARY, 0, 0],
  ] as const)('mode %s, case %#', async (mode, record, state, sync, quorum) => {
    const samples = await scrape(state, {}, { mode, record });
    expect(samples.get('patroni_sync_standby')).toBe(sync);
    expect(samples.get('patroni_quorum_standby')).toBe(quorum);
  });

  it('show how many standbys answer, how many votes a promotion needs, and what was asked for', async () => {
    const sync = present({ leader: 'pg1', standbys: ['pg2', 'pg3', 'pg4'], quorum: 2, version: 1 });
    const record = { record: { ...CLUSTER, sync }, ageMillis: 1 };
    const samples = await scrape(PRIMARY, {}, { mode: 'quorum', record });
    expect(Object.fromEntries(samples)).toMatchObject({
      pgbaton_synchronous_standbys: 3,
      pgbaton_synchronous_quorum: 2,
      pgbaton_synchronous_copies: 1,
      pgbaton_synchronous_copies_wanted: 1,
    });
  });

  it('show a leader that acknowledges alone', async () => {
    const samples = await scrape(PRIMARY, {}, { mode: 'on', record: listing() });
    expect(Object.fromEntries(samples)).toMatchObject({
      pgbaton_synchronous_standbys: 0,
      pgbaton_synchronous_copies: 0,
      pgbaton_synchronous_copies_wanted: 1,
    });
  });
});

describe('our metrics', () => {
  it('show the lag of members and slots, and forget those that are gone', async () => {
    const { metrics } = metricsOf();
    const slots = [
      {
        name: 'pg2',
        physical: true,
        active: true,
        restartLsn: lsn(50_331_000n),
        walStatus: 'reserved',
      },
      { name: 'lost', physical: true, active: false, restartLsn: undefined, walStatus: 'lost' },
    ];
    const server = { facts: { ...PRIMARY_FACTS, slots }, ageMillis: 1 };
    const agent = createFakeAgent({ ...PRIMARY, server });
    metrics.attach(agent);
    const before = parse(await metrics.text());
    expect(before.get('pgbaton_member_lag_bytes{member="pg2"}')).toBe(500);
    expect(before.get('pgbaton_slot_lag_bytes{slot="pg2"}')).toBe(976);
    expect(before.has('pgbaton_slot_lag_bytes{slot="lost"}')).toBe(false);
    expect(before.get('pgbaton_guardian{state="armed"}')).toBe(1);
    expect(before.get('pgbaton_watchdog{state="off"}')).toBe(1);
    expect(before.get('pgbaton_disk_free_bytes')).toBe(5_368_709_120);
    agent.state = REPLICA;
    agent.record = undefined;
    const after = parse(await metrics.text());
    expect([...after.keys()].filter((key) => /lag_bytes/.test(key))).toEqual([]);
  });

  it('count and time what the agent tells', async () => {
    const { metrics, logger } = metricsOf();
    metrics.meter.count('failovers_total', { cause: 'lease-over' });
    metrics.meter.count('fences_total', { cause: 'no-lease' });
    metrics.meter.count('fences_total', { cause: 'no-lease' });
    metrics.meter.observe('heartbeat_seconds', 30);
    metrics.meter.observe('phase_seconds', 1500, { phase: 'elect' });
    const samples = parse(await metrics.text());
    expect(samples.get('pgbaton_failovers_total{cause="lease-over"}')).toBe(1);
    expect(samples.get('pgbaton_switchovers_total')).toBe(0);
    expect(samples.get('pgbaton_fences_total{cause="no-lease"}')).toBe(2);
    expect(
      samples.get('pgbaton_heartbeat_seconds{le="0.05"}') ??
        samples.get('pgbaton_heartbeat_seconds_bucket{le="0.05"}'),
    ).toBe(1);
    expect(samples.get('pgbaton_heartbeat_seconds_sum')).toBeCloseTo(0.03);
    expect(samples.get('pgbaton_phase_seconds_sum{phase="elect"}')).toBeCloseTo(1.5);
    expect(logger.lines).toEqual([]);
  });

  it('stand at 0 for every value of a label that is known before, so that the first event is an increase', async () => {
    const { metrics } = metricsOf();
    const samples = parse(await metrics.text());
    const zeros = [...samples].filter(([, value]) => value === 0).map(([name]) => name);
    expect(zeros).toEqual(
      expect.arrayContaining([
        'pgbaton_failovers_total{cause="lease-over"}',
        'pgbaton_failovers_total{cause="own-lapsed"}',
        'pgbaton_demotions_total{cause="fenced"}',
        'pgbaton_fences_total{cause="lease-over"}',
        'pgbaton_heartbeats_total{outcome="committed"}',
        'pgbaton_store_errors_total{code="forbidden"}',
        'pgbaton_decisions_total{rule="R110"}',
        'pgbaton_jobs_total{kind="rewind",outcome="failed"}',
        'pgbaton_callbacks_total{event="on_role_change",outcome="failed"}',
        'pgbaton_phase_seconds_count{phase="total"}',
        'pgbaton_store_request_seconds_count{operation="commit"}',
      ]),
    );
  });

  it('tell what the agent decides and what it is busy with', async () => {
    const job = {
      kind: 'clone',
      forMillis: 4_000,
      progress: 'kB copied 25 %',
      progressRatio: 0.25,
    };
    const busy = Object.fromEntries(await scrape({ ...REPLICA, job }));
    expect(busy).toMatchObject({
      pgbaton_members: 3,
      pgbaton_can_take_over: 1,
      pgbaton_alive: 1,
      pgbaton_decided_seconds: 1.234,
      'pgbaton_rule{rule="R420",rule_name="hold-the-lease"}': 1,
      'pgbaton_job_running_seconds{kind="clone"}': 4,
      'pgbaton_job_progress_ratio{kind="clone"}': 0.25,
      pgbaton_ttl_seconds: 3,
    });
    expect(busy['pgbaton_agent_memory_bytes']).toBeGreaterThan(1_000_000);
    expect(
      Math.abs((busy['pgbaton_agent_start_time_seconds'] ?? 0) - Date.now() / 1000),
    ).toBeLessThan(86_400);
    const idle = await scrape(PRIMARY, {}, { isAlive: false });
    expect([...idle.keys()].filter((name) => name.startsWith('pgbaton_job_running'))).toEqual([]);
    expect(idle.get('pgbaton_can_take_over')).toBe(0);
    expect(idle.get('pgbaton_alive')).toBe(0);
  });

  it('a name or label nobody declared is told once and harms nobody', async () => {
    const { metrics, logger } = metricsOf();
    for (let round = 0; round < 3; round += 1) {
      metrics.meter.count('typo_total');
      metrics.meter.observe('switchovers_total', 1);
      metrics.meter.count('fences_total', { colour: 'red' });
    }
    expect(logger.lines).toHaveLength(3);
    expect(await metrics.text()).not.toContain('typo');
  });

  it('are there before an agent is, without claiming a state', async () => {
    const { metrics } = metricsOf();
    const text = await metrics.text();
    expect(text).toContain('pgbaton_switchovers_total{');
    expect(text).not.toMatch(/^patroni_primary\{/m);
  });

  it('of two agents in one process do not mix', async () => {
    const one = metricsOf('pg1');
    const two = metricsOf('pg2');
    one.metrics.meter.count('switchovers_total');
    expect(await two.metrics.text()).toMatch(/switchovers_total\{scope="demo",name="pg2"\} 0/);
    expect(await one.metrics.text()).toMatch(/switchovers_total\{scope="demo",name="pg1"\} 1/);
  });

  it('are named once, by the rules of Prometheus', () => {
    const names = [
      ...EVENT_METRICS.map((row) => `pgbaton_${row.name}`),
      ...[...PATRONI_METRICS, ...OWN_GAUGES].map((row) => row.name),
    ];
    expect(new Set(names).size).toBe(names.length);
    for (const row of EVENT_METRICS) {
      expect(row.name).toMatch(row.type === 'counter' ? /_total$/ : /_seconds$/);
      expect(row.labels).not.toContain('name');
    }
  });
});
