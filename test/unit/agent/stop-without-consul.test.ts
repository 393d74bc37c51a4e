import { expect, test } from 'vitest';
import { FakeCluster, isRelease } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
const AN_HOUR_MILLIS = 3_600_000;

// 1. The leader is told to stop: it stops Postgres and sends its release.
// 2. Consul goes away with that request: neither it nor any read is answered any more.
// 3. Once the lease has ended by the clock nothing hangs on the release; the process may end.
test('a leader that is told to stop ends though its release is never answered', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(10_000);
  let sent = false;
  cluster.consul.intercept = (call) => {
    sent ||= isRelease(call);
    return sent && call.member === 'pg1' ? { kind: 'delay', millis: AN_HOUR_MILLIS } : undefined;
  };
  let ended = false;
  void cluster
    .agent('pg1')
    .ended()
    .then(() => {
      ended = true;
    });
  cluster.agent('pg1').shutdown();
  expect(await cluster.until(() => sent, 10_000), cluster.show()).toBe(true);
  expect(ended).toBe(false);
  expect(await cluster.until(() => ended, 10_000), cluster.show()).toBe(true);
  expect(cluster.breaches, cluster.show()).toEqual([]);
});
