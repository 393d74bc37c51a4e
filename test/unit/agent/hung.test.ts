import { expect, test } from 'vitest';
import { FakeCluster } from './fake-cluster.ts';
import type { FakeHost } from './fake-host.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
/** Default primary_hang_timeout, and what it takes to notice. */
const HANG_MILLIS = 10_000;
const NOTICED_MILLIS = 2000;

/** pg1 leads, pg2 stands by, and everything is well. */
async function healthy(): Promise<{
  readonly cluster: FakeCluster;
  readonly pg1: FakeHost;
  readonly pg2: FakeHost;
}> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  const pg1 = cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(5000);
  return { cluster, pg1, pg2: cluster.host('pg2') };
}

test('a primary that answers nobody is killed, and the lease handed over', async () => {
  const { cluster, pg1, pg2 } = await healthy();
  pg1.probesUnanswered = true;
  await cluster.run(HANG_MILLIS - 100);
  expect(pg1.writable, cluster.show()).toBe(true);
  expect(await cluster.until(() => !pg1.writable, NOTICED_MILLIS), cluster.show()).toBe(true);
  pg1.probesUnanswered = false;
  // Released, it is not waited for.
  expect(await cluster.until(() => pg2.writable, 1000), cluster.show()).toBe(true);
});

test('a standby that answers nobody is killed, so that it is started again, and the primary goes on', async () => {
  const { cluster, pg1, pg2 } = await healthy();
  pg2.probesUnanswered = true;
  const ended = await cluster.until(() => !pg2.up, HANG_MILLIS + NOTICED_MILLIS);
  expect(ended, cluster.show()).toBe(true);
  expect(cluster.log.some((line) => line.includes('compares its history'))).toBe(true);
  expect(pg1.writable).toBe(true);
});

test('a standby that does not answer is no candidate', async () => {
  const { cluster, pg1, pg2 } = await healthy();
  pg2.probesUnanswered = true;
  await cluster.run(500);
  cluster.kill('pg1');
  pg1.end('exited');
  await cluster.run(8000);
  expect(pg2.writable, cluster.show()).toBe(false);
  pg2.probesUnanswered = false;
  expect(await cluster.until(() => pg2.writable, 2000), cluster.show()).toBe(true);
});

// 1. Clients have taken all connections, those of superusers too; the session of the agent broke.
// 2. Every login is refused, for longer than any timeout.
test('a primary that turns the agent away is left alone, and is the primary to load balancers', async () => {
  const { cluster, pg1, pg2 } = await healthy();
  pg1.turnsAway = 'sorry, too many clients already';
  await cluster.run(400_000);
  expect(pg1.writable, cluster.show()).toBe(true);
  expect(pg2.writable).toBe(false);
  expect(cluster.agent('pg1').status()).toMatchObject({
    role: 'primary',
    acceptsWrites: true,
  });
});

// 1. Nobody can say whether the agent had stood still or Postgres: the time between two probes counts
//    for nothing but what a probe would have waited.
test('a pause of the whole host is no silence of Postgres', async () => {
  const { cluster, pg1 } = await healthy();
  pg1.probesUnanswered = true;
  await cluster.run(2500);
  pg1.probesUnanswered = false;
  await cluster.run(1000);
  pg1.probesUnanswered = true;
  await cluster.run(HANG_MILLIS - 500);
  expect(pg1.writable, cluster.show()).toBe(true);
});

// 1. The disk of the primary does not answer any more: its processes cannot even be killed.
// 2. The lease may not be released, for nothing proves that Postgres is down.
test('a lease that may not be given away is let run out, and another leads', async () => {
  const { cluster, pg1, pg2 } = await healthy();
  pg1.probesUnanswered = true;
  pg1.survivesFences = true;
  const leads = await cluster.until(() => pg2.writable, HANG_MILLIS + NOTICED_MILLIS + 6000);
  expect(leads, cluster.show()).toBe(true);
});
