import { expect, test } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { END } from '../../harness/views.ts';
import { FakeCluster, sets } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

// 1. pg2 writes its member key as a standby; Consul holds that request for longer than pg2 waits.
// 2. pg1 hands over to pg2, which writes its key as the primary.
// 3. The request of before is carried out after all.
test('a member key that is overwritten by an older request says the truth again soon', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(10_000);
  let held = 0;
  cluster.consul.intercept = (call) => {
    if (call.member !== 'pg2' || !sets(call, 'members/pg2') || held > 0) return undefined;
    held += 1;
    return { kind: 'delay', millis: 4500 };
  };
  const members = (): readonly unknown[] =>
    cluster.consul.server
      .list('service/demo/')
      .record.members.map(({ key: { name, role } }) => `${name} ${role}`);
  const pg2 = cluster.host('pg2');
  pg2.position = lsn(END - 16n);
  expect(await cluster.until(() => held > 0, 10_000)).toBe(true);
  pg2.position = END;
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  const moved = await cluster.until(() => members().includes('pg2 primary'), 4000);
  expect(moved, cluster.show()).toBe(true);
  await cluster.run(10_000);
  expect(members(), cluster.show()).toEqual(['pg1 replica', 'pg2 primary']);
});
