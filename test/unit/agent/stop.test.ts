import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

async function toldToStop(consulAway: boolean): Promise<number> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(10_000);
  cluster.consulAway(consulAway);
  const agent = cluster.agent('pg2');
  let done: 'stops' | 'leaves' | 'left' = 'stops';
  void agent
    .ended()
    .then(async () => {
      done = 'leaves';
      await agent.close();
    })
    .then(() => {
      done = 'left';
    });
  agent.shutdown();
  expect(await cluster.until(() => done !== 'stops', 5000), cluster.show()).toBe(true);
  const stoppedAt = cluster.clock.now();
  expect(await cluster.until(() => done === 'left', 30_000), cluster.show()).toBe(true);
  return cluster.clock.now() - stoppedAt;
}

test('an agent whose work is done leaves at once', async () => {
  expect(await toldToStop(false)).toBeLessThan(100);
});

// 1. Consul does not answer: neither that the member leaves can be written, nor its session be ended.
test('an agent whose work is done leaves within a second, whatever Consul does', async () => {
  expect(await toldToStop(true)).toBeLessThanOrEqual(1010);
});

// 1. Somebody who streams from pg2 vanishes. 2. pg2 is told to stop: its Postgres writes its last record.
// 3. It would wait for that receiver until wal_sender_timeout, a minute.
test('a standby that is stopped waits no longer for a receiver than a primary does', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(10_000);
  cluster.host('pg2').hasVanishedReceiver = true;
  const agent = cluster.agent('pg2');
  let isDone = false;
  void agent.ended().then(() => {
    isDone = true;
  });
  agent.shutdown();
  expect(await cluster.until(() => isDone, 5000), cluster.show()).toBe(true);
  void agent.close();
});
