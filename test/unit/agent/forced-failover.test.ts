import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

// 1. The leader acknowledged alone and its host is lost: nobody may replace it without an operator.
// 2. Its member key, tied to a session, still says "primary" when an operator forces another one.
test('a failover to this member is not left to a leader whose lease is over, though its key is still there', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.put('sync', { leader: 'pg1', sync_standby: null, quorum: 0, version: 3 });
  cluster.put('members/pg1', {
    conn_url: 'postgres://pg1.example:5432/postgres',
    api_url: 'http://pg1:8008/patroni',
    state: 'running',
    role: 'primary',
    version: '0',
  });
  const agent = await cluster.start('pg2');
  await cluster.run(10_000);
  expect(cluster.writable(), cluster.show()).toEqual([]);
  expect(agent.explain().why).toContain('only pg1 may lead again by itself');
  const answer = await cluster.ask('pg2', { kind: 'failover', candidate: 'pg2' }, 5000);
  expect(answer).toMatchObject({ kind: 'done' });
  expect(cluster.writable()).toEqual(['pg2']);
});
