import { expect, test } from 'vitest';
import { acknowledgesForMillis } from '../../../src/core/brake.ts';
import { fail } from '../../../src/core/result.ts';
import { FakeCluster, sets } from './fake-cluster.ts';
import type { FakeHost } from './fake-host.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
const BOUND_MILLIS = acknowledgesForMillis(500);
const TTL_MILLIS = 3000;

/** pg1 leads, the others follow, and all of them run. */
async function led(): Promise<{ cluster: FakeCluster; primary: FakeHost }> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  const primary = cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  // Who has just been started promises nothing for as long as a lease.
  await cluster.run(TTL_MILLIS + 1000);
  expect(primary.acknowledges, cluster.show()).toBe(true);
  return { cluster, primary };
}

const everyone = (cluster: FakeCluster, away: boolean): void => {
  for (const name of MEMBERS) cluster.consul.partition(name, away);
};
const brakeOf = (cluster: FakeCluster): string => cluster.agent('pg1').status().commitBrake;
const told = (cluster: FakeCluster, what: string): number =>
  cluster.log.filter((line) => line.includes(what)).length;

test('an isolated primary stops acknowledging long before its lease ends, and then is fenced', async () => {
  const { cluster, primary } = await led();
  cluster.isolate('pg1');
  const begun = cluster.clock.now();
  expect(await cluster.until(() => !primary.acknowledges, BOUND_MILLIS), cluster.show()).toBe(true);
  expect(primary.writable).toBe(true);
  expect(brakeOf(cluster)).toBe('held');
  expect(await cluster.until(() => primary.acknowledges, TTL_MILLIS)).toBe(false);
  expect(primary.up && primary.writable, cluster.show()).toBe(false);
  expect(cluster.clock.now() - begun).toBeGreaterThan(TTL_MILLIS);
});

test('a Consul that is away holds no commit while all members promise', async () => {
  const { cluster, primary } = await led();
  everyone(cluster, true);
  expect(await cluster.until(() => !primary.acknowledges, 20_000), cluster.show()).toBe(false);
  everyone(cluster, false);
  await cluster.run(3000);
  expect(told(cluster, 'holds commits'), cluster.show()).toBe(0);
});

test('one answer of Consul that takes a moment holds no commit, with failsafe or without', async () => {
  for (const failsafe of [true, false]) {
    const { cluster, primary } = await led();
    for (const name of MEMBERS) cluster.setFailsafe(name, failsafe);
    await cluster.run(2000);
    let slowed = 0;
    cluster.consul.intercept = (call) => {
      if (!sets(call, 'lease') || slowed > 0) return undefined;
      slowed += 1;
      return { kind: 'delay', millis: 290 };
    };
    expect(await cluster.until(() => !primary.acknowledges, 3000), cluster.show()).toBe(false);
    expect(slowed).toBe(1);
  }
});

test('what waits is acknowledged as soon as a heartbeat is', async () => {
  const { cluster, primary } = await led();
  cluster.setFailsafe('pg1', false);
  cluster.consul.partition('pg1', true);
  expect(await cluster.until(() => !primary.acknowledges, BOUND_MILLIS), cluster.show()).toBe(true);
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
  expect(brakeOf(cluster)).toBe('off');
  expect(primary.braked).toBe(false);
  expect(cluster.writable()).toEqual(['pg1']);
});

test('what waits is acknowledged as soon as all members promise again', async () => {
  const { cluster, primary } = await led();
  cluster.isolate('pg1');
  expect(await cluster.until(() => !primary.acknowledges, BOUND_MILLIS), cluster.show()).toBe(true);
  cluster.rejoin('pg1');
  everyone(cluster, true);
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
  await cluster.run(5000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
});

test('where it is not seen to bite, Postgres stands still until the lease is renewed', async () => {
  const { cluster, primary } = await led();
  primary.checkpointerBusy = true;
  cluster.setFailsafe('pg1', false);
  cluster.consul.partition('pg1', true);
  expect(await cluster.until(() => primary.frozen, BOUND_MILLIS), cluster.show()).toBe(true);
  expect(brakeOf(cluster)).toBe('frozen');
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
  expect(brakeOf(cluster)).toBe('off');
});

test('a server that stands still is fenced with its lease', async () => {
  const { cluster, primary } = await led();
  primary.checkpointerBusy = true;
  cluster.isolate('pg1');
  expect(await cluster.until(() => primary.frozen, BOUND_MILLIS), cluster.show()).toBe(true);
  expect(await cluster.until(() => primary.acknowledges, TTL_MILLIS)).toBe(false);
  expect(primary.writable, cluster.show()).toBe(false);
});

test('a server that was made to stand still is not taken for one that hangs', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  const primary = cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) cluster.setTtl(name, 40_000);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(45_000);
  primary.checkpointerBusy = true;
  cluster.isolate('pg1');
  expect(await cluster.until(() => primary.frozen, BOUND_MILLIS), cluster.show()).toBe(true);
  const { primaryHangTimeoutMillis } = cluster.settings('pg1').policy.timing;
  await cluster.run(2 * primaryHangTimeoutMillis);
  expect(told(cluster, 'was fenced'), cluster.show()).toBe(0);
  expect(cluster.agent('pg1').explain().why).toMatch(/has stopped Postgres where it is/);
  cluster.rejoin('pg1');
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
});

test('a guardian that cannot freeze is asked again, and the brake tried', async () => {
  const { cluster, primary } = await led();
  primary.checkpointerBusy = true;
  primary.cannotFreeze = true;
  cluster.isolate('pg1');
  await cluster.run(BOUND_MILLIS);
  primary.checkpointerBusy = false;
  expect(await cluster.until(() => !primary.acknowledges, 300), cluster.show()).toBe(true);
  expect(brakeOf(cluster)).toBe('held');
});

// The file cannot be removed, but Postgres runs again.
test('a release that was half done does not keep the brake from being put on again', async () => {
  const { cluster, primary } = await led();
  cluster.setFailsafe('pg1', false);
  primary.checkpointerBusy = true;
  cluster.consul.partition('pg1', true);
  expect(await cluster.until(() => primary.frozen, 2000), cluster.show()).toBe(true);
  primary.releaseCommits = () => fail('postgres-brake-not-released', 'the disk does not answer');
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => !primary.frozen, 2000), cluster.show()).toBe(true);
  await cluster.run(3000);
  cluster.consul.partition('pg1', true);
  const holds = await cluster.until(() => !primary.acknowledges, BOUND_MILLIS);
  expect(holds, cluster.show()).toBe(true);
});

test('commits that somebody else lets go are held again', async () => {
  const { cluster, primary } = await led();
  cluster.isolate('pg1');
  expect(await cluster.until(() => !primary.acknowledges, BOUND_MILLIS), cluster.show()).toBe(true);
  primary.letGo();
  expect(await cluster.until(() => !primary.acknowledges, 50), cluster.show()).toBe(true);
});

test('an agent that is killed with the brake on leaves it to the next one, which releases it', async () => {
  const { cluster, primary } = await led();
  cluster.setFailsafe('pg1', false);
  cluster.consul.partition('pg1', true);
  expect(await cluster.until(() => !primary.acknowledges, BOUND_MILLIS), cluster.show()).toBe(true);
  cluster.kill('pg1');
  await cluster.start('pg1');
  expect(await cluster.until(() => primary.acknowledges, 300), cluster.show()).toBe(false);
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
  expect(primary.braked).toBe(false);
  expect(cluster.writable()).toEqual(['pg1']);
});

test('an agent that is killed with Postgres standing still leaves it to the next one', async () => {
  const { cluster, primary } = await led();
  primary.checkpointerBusy = true;
  cluster.setFailsafe('pg1', false);
  cluster.consul.partition('pg1', true);
  expect(await cluster.until(() => primary.frozen, BOUND_MILLIS), cluster.show()).toBe(true);
  cluster.kill('pg1');
  await cluster.start('pg1');
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => primary.acknowledges, 1000), cluster.show()).toBe(true);
  expect(cluster.writable()).toEqual(['pg1']);
});

test('a restart of the agent alone holds no commit', async () => {
  const { cluster, primary } = await led();
  cluster.kill('pg1');
  await cluster.run(1300);
  await cluster.start('pg1');
  expect(await cluster.until(() => !primary.acknowledges, 3000), cluster.show()).toBe(false);
});

test('a brake that a process of before puts on late is released', async () => {
  const { cluster, primary } = await led();
  primary.braked = true;
  primary.holding = true;
  expect(await cluster.until(() => primary.acknowledges, 1500), cluster.show()).toBe(true);
  expect(primary.braked).toBe(false);
});

test('with synchronous_mode nothing is held: who may lead next has every commit', async () => {
  const { cluster, primary } = await led();
  primary.standbys = {};
  for (const name of MEMBERS) cluster.setSynchronous(name, { mode: 'on' });
  const settled = (): boolean => cluster.sync()?.leader === 'pg1';
  expect(await cluster.until(settled, 5000), cluster.show()).toBe(true);
  await cluster.run(1000);
  cluster.isolate('pg1');
  await cluster.run(2000);
  expect(told(cluster, 'holds commits'), cluster.show()).toBe(0);
  expect(primary.acknowledges).toBe(true);
});
