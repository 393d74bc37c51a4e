import { expect, test } from 'vitest';
import { EVENT_METRICS } from '../../../src/telemetry/metric-table.ts';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
/** 1.01 times the ttl of 3 s and 50 ms: what a follower waits. */
const WAIT_MILLIS = 3080;

async function healthy(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(10_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  return cluster;
}

const counts = (cluster: FakeCluster, metric: string): readonly string[] =>
  cluster.measured
    .filter((entry) => entry.metric === metric)
    .map(({ member, labels }) => [member, ...Object.values(labels)].join(' '));

const phases = (cluster: FakeCluster, member: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    cluster.measured
      .filter((entry) => entry.metric === 'phase_seconds' && entry.member === member)
      .map(({ labels, millis }) => [labels['phase'], millis ?? Number.NaN]),
  );

test('a failover is counted by the winner with its cause, and each of its phases is timed', async () => {
  const cluster = await healthy();
  cluster.isolate('pg1');
  expect(await cluster.until(() => cluster.writable().includes('pg2'), 20_000)).toBe(true);
  await cluster.run(1000);
  expect(counts(cluster, 'failovers_total')).toEqual(['pg2 lease-over']);
  expect(counts(cluster, 'switchovers_total')).toEqual([]);
  expect(counts(cluster, 'fences_total')).toEqual(['pg1 lease-over']);
  expect(counts(cluster, 'heartbeats_total')).toContain('pg1 committed');
  expect(counts(cluster, 'heartbeats_total')).toContain('pg1 unknown');
  expect(counts(cluster, 'actions_total')).toEqual(
    expect.arrayContaining(['pg2 R410 takeover', 'pg2 R320 promote']),
  );
  const { detect = 0, elect = 0, promote = 0, total = 0 } = phases(cluster, 'pg2');
  expect(detect).toBeGreaterThanOrEqual(WAIT_MILLIS);
  expect(total).toBeGreaterThanOrEqual(detect + elect + promote);
  expect(total).toBeLessThan(detect + elect + promote + 500);
  expect(phases(cluster, 'pg1')['fence']).toBeGreaterThanOrEqual(0);
});

test('a switchover is no failover, and the former leader tells how long nobody could write', async () => {
  const cluster = await healthy();
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  expect(await cluster.until(() => cluster.writable().includes('pg2'), 20_000)).toBe(true);
  await cluster.run(5000);
  expect(counts(cluster, 'switchovers_total')).toEqual(['pg2']);
  expect(counts(cluster, 'failovers_total')).toEqual([]);
  expect(counts(cluster, 'fences_total')).toEqual([]);
  expect(phases(cluster, 'pg2')['total']).toBeLessThan(WAIT_MILLIS);
  expect(phases(cluster, 'pg1')['hand_over']).toBeGreaterThan(0);
});

test('a host whose disk is full says so', async () => {
  const cluster = await healthy();
  cluster.host('pg2').diskFull = true;
  cluster.isolate('pg1');
  await cluster.run(10_000);
  expect(counts(cluster, 'host_state_errors_total')).toContain('pg2');
});

test('what agents measure is declared, with these very labels', async () => {
  const cluster = await healthy();
  cluster.isolate('pg1');
  await cluster.run(10_000);
  const undeclared = cluster.measured.filter(({ metric, labels, millis }) => {
    const declared = EVENT_METRICS.find(({ name }) => name === metric);
    const type = millis === undefined ? 'counter' : 'histogram';
    const wanted = [...(declared?.labels ?? [])].toSorted().join(' ');
    return declared?.type !== type || Object.keys(labels).toSorted().join(' ') !== wanted;
  });
  expect(undeclared).toEqual([]);
});
