import { expect, test } from 'vitest';
import { since } from '../../../src/core/time.ts';
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

const ended = (cluster: FakeCluster): readonly string[] =>
  cluster.log.filter((line) => line.includes(' ended ('));

// 1. The leader is alone, and its last heartbeat hangs until after the lease has ended.
// 2. Postgres is fenced before that, and started as a standby; it takes a moment to answer.
// 3. The heartbeat fails, and the lease is found to have lapsed.
test('a standby that was started after the fence is let be when the lease lapses', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  const host = cluster.primary('pg1', LEADS.id, LEADS.n);
  cluster.setFailsafe('pg1', false);
  await cluster.start('pg1');
  await cluster.run(2000);
  cluster.consul.intercept = () => ({ kind: 'drop' });
  expect(await cluster.until(() => !host.up, 5000)).toBe(true);
  host.probesUnanswered = true;
  expect(await cluster.until(() => host.up, 5000), cluster.show()).toBe(true);
  await cluster.run(2000);
  expect(cluster.log.some((line) => line.includes('the lease has lapsed'))).toBe(true);
  host.probesUnanswered = false;
  await cluster.run(1000);
  expect(ended(cluster), cluster.show()).toHaveLength(1);
  expect(host.up && !host.writable && host.armed === undefined, cluster.show()).toBe(true);
});

// 1. Postgres of the leader crashes; it is started as a standby, in place, and promoted again.
// 2. It does not answer from then on: the last that was heard of it is that it is a standby.
// 3. The leader is alone until its lease ends.
test('a standby that was asked to promote since it was started is fenced by the end of the lease', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  const host = cluster.primary('pg1', LEADS.id, LEADS.n);
  cluster.setFailsafe('pg1', false);
  await cluster.start('pg1');
  await cluster.run(2000);
  const promote = host.promote.bind(host);
  host.promote = () => {
    host.probesUnanswered = true;
    return promote();
  };
  host.end('exited');
  expect(await cluster.until(() => host.writable, 5000), cluster.show()).toBe(true);
  cluster.consul.intercept = () => ({ kind: 'drop' });
  await cluster.run(100);
  const end = host.armed?.deadline ?? cluster.clock.now();
  expect(await cluster.until(() => !host.writable, since(cluster.clock.now(), end))).toBe(true);
  expect(ended(cluster).at(-1), cluster.show()).toContain('primary ended (fenced)');
});
