import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

// 1. The guardian of the primary stands still. The agent and Consul are well: beats extend the lease.
// 2. From the end of the deadline that the guardian has taken last, nobody would fence if the agent
//    stood still, too. So by then the agent has fenced.
// 3. Under the same lease Postgres is started below another guardian, and promoted again.
test('a primary whose guardian does not answer is fenced before the deadline that it has taken last', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  const host = cluster.primary('pg1', LEADS.id, LEADS.n);
  await cluster.start('pg1');
  await cluster.run(5000);
  const taken = host.armed?.deadline ?? cluster.clock.now();
  host.guardianFrozen = true;
  const ended = (): string | undefined =>
    cluster.log.find((line) => line.includes('primary ended (fenced)'));
  expect(await cluster.until(() => ended() !== undefined, 5000), cluster.show()).toBe(true);
  // Not sooner than it must be: it may only have been swapped out.
  const leftMillis = taken - Number(ended()?.split(' ')[0]);
  expect(leftMillis).toBeGreaterThan(500);
  expect(leftMillis).toBeLessThan(800);
  expect(await cluster.until(() => host.writable, 5000), cluster.show()).toBe(true);
  expect(host.armed?.leaseId).toBe(LEADS.id);
  await cluster.run(10_000);
  expect(host.writable, cluster.show()).toBe(true);
});

// The guardian answers again before its deadline: nothing has happened.
test('a guardian that stands still for a moment costs nothing', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  const host = cluster.primary('pg1', LEADS.id, LEADS.n);
  await cluster.start('pg1');
  await cluster.run(5000);
  host.guardianFrozen = true;
  await cluster.run(1500);
  host.guardianFrozen = false;
  await cluster.run(10_000);
  expect(host.writable, cluster.show()).toBe(true);
  expect(cluster.log.join('\n')).not.toContain('ended');
});
