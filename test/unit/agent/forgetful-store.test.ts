import { describe, expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

async function healthy(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(20_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  return cluster;
}

describe('a Consul that was wiped', () => {
  // 1. Consul comes back empty, its failsafe list with it.
  // 2. The leader reads that once, and is then cut off from Consul and from all members.
  // 3. Nobody is left on the list that it knows: nobody to ask, so nobody to object.
  // 4. The others find an empty Consul, wait for a lease that nobody renews, and take over.
  test('leaves the leader with everyone it ever had to ask, so that it cannot extend alone', async () => {
    const cluster = await healthy();
    cluster.consul.server.wipe();
    const wipedAt = cluster.clock.now();
    let read = false;
    cluster.consul.intercept = (call) => {
      if (call.member !== 'pg1') {
        const early = cluster.clock.now() < wipedAt + 600;
        return early && call.operation !== 'watch' ? { kind: 'drop' } : undefined;
      }
      if (read) return { kind: 'drop' };
      if (call.operation === 'read') {
        read = true;
        cluster.clock.timer(3, () => {
          cluster.isolate('pg1');
        });
      }
      return undefined;
    };
    const moved = await cluster.until(() => cluster.writable()[0] !== 'pg1', 30_000);
    expect(moved, cluster.show()).toBe(true);
    const leads = await cluster.until(() => cluster.writable().length === 1, 30_000);
    expect(leads, cluster.show()).toBe(true);
    expect(cluster.breaches).toEqual([]);
  });

  // 1. Consul comes back empty, and everything else works.
  test('is written back by the leader, who goes on without a pause', async () => {
    const cluster = await healthy();
    cluster.consul.server.wipe();
    await cluster.run(60_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(cluster.log.filter((line) => /HOST .* ended/.test(line))).toEqual([]);
    const record = cluster.agent('pg2').cluster()?.record;
    expect(record?.generation).toMatchObject({ value: { id: 'L1', n: 5, holder: 'pg1' } });
    expect(record?.failsafe).toMatchObject({ kind: 'present' });
  });
});

describe('a Consul that was restored', () => {
  // 1. A snapshot is taken while pg2 leads generation 4; key leader names pg2.
  // 2. pg1 takes over generation 5 and leads.
  // 3. The snapshot is played back: key leader names another than the legitimate leader.
  test('to a state before the last failover does not depose the leader', async () => {
    const cluster = new FakeCluster();
    cluster.record({ holder: 'pg2', id: 'L0', n: 4 }, MEMBERS);
    const snapshot = cluster.consul.server.snapshot();
    cluster.record(LEADS, MEMBERS);
    cluster.primary('pg1', LEADS.id, LEADS.n);
    for (const name of MEMBERS) await cluster.start(name);
    await cluster.run(20_000);
    cluster.consul.server.restore(snapshot);
    await cluster.run(60_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(cluster.log.filter((line) => /HOST .* ended/.test(line))).toEqual([]);
    const record = cluster.agent('pg2').cluster()?.record;
    expect(record?.leader).toMatchObject({ value: { member: 'pg1' } });
    expect(record?.generation).toMatchObject({ value: { n: 5 } });
  });
});
