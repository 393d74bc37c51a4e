import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

// 1. The requests of a leader that is alone get lost for longer than its lease; its blocking query
//    hangs, and hears nothing, since nobody else writes.
// 2. The lease lapses; what was observed of the record counts no more.
// 3. Requests come through again.
test('a leader that lost its lease looks for another as soon as Consul answers', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  cluster.setTtl('pg1', 10_000);
  await cluster.start('pg1');
  await cluster.run(20_000);
  cluster.setFailsafe('pg1', false);
  await cluster.run(1000);
  cluster.consul.intercept = (call) => (call.operation === 'watch' ? undefined : { kind: 'drop' });
  expect(await cluster.until(() => !cluster.host('pg1').writable, 20_000)).toBe(true);
  const lapsed = (): boolean => cluster.log.some((line) => line.includes('the lease has lapsed'));
  expect(await cluster.until(lapsed, 5000)).toBe(true);
  await cluster.run(100);
  cluster.consul.intercept = undefined;
  const leads = await cluster.until(() => cluster.host('pg1').writable, 3000);
  expect(leads, cluster.show()).toBe(true);
});
