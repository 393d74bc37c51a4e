import { expect, test } from 'vitest';
import { valueOf } from '../../../src/core/cluster.ts';
import type { Lease } from '../../../src/core/cluster.ts';
import type { FakeCall } from '../../harness/fake-store.ts';
import { FakeCluster } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

const leaseIn = (cluster: FakeCluster): Lease | undefined =>
  valueOf(cluster.consul.server.list('service/demo/').record.lease);

const leaseOf = ({ write }: FakeCall): Lease | undefined => {
  for (const change of write?.changes ?? []) {
    if (change.kind !== 'delete' && change.entry.key === 'lease') return change.entry.value;
  }
  return undefined;
};

/** pg1 leads, pg2 follows. */
async function healthy(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(2000);
  return cluster;
}

/** The pause is in force. */
async function paused(): Promise<FakeCluster> {
  const cluster = await healthy();
  cluster.setPause(true);
  await cluster.run(2000);
  expect(cluster.host('pg1').armed?.paused, cluster.show()).toBe(true);
  return cluster;
}

/** The agent of pg1 dies when Consul has taken this write of its lease; it hears nothing of that. */
function dieBehind(
  cluster: FakeCluster,
  fault: 'lose-reply' | 'drop',
  isMeant: (lease: Lease) => boolean,
): void {
  let died = false;
  cluster.consul.intercept = (call) => {
    const lease = leaseOf(call);
    if (died || call.member !== 'pg1' || lease === undefined || !isMeant(lease)) return undefined;
    died = true;
    cluster.clock.timer(20, () => cluster.kill('pg1'));
    return { kind: fault };
  };
}

/** Nobody leads, in maintenance mode or after a resume, however long one waits. */
async function nobodyComes(cluster: FakeCluster): Promise<void> {
  await cluster.run(30_000);
  expect(cluster.writable(), cluster.show()).toEqual([]);
}

async function comesBack(cluster: FakeCluster, boundMillis: number): Promise<readonly string[]> {
  const comes = await cluster.until(() => cluster.writable().length > 0, boundMillis);
  expect(comes, cluster.show()).toBe(true);
  await cluster.run(3000);
  expect(cluster.breaches, cluster.show()).toEqual([]);
  return cluster.writable();
}

/** The guardian has fenced by the deadline that it had, while Consul says that the lease is paused. */
async function fencedAsThePauseBegan(): Promise<FakeCluster> {
  const cluster = await healthy();
  dieBehind(cluster, 'lose-reply', (lease) => lease.paused === true);
  cluster.setPause(true);
  const down = await cluster.until(() => !cluster.host('pg1').up, 6000);
  expect(down, cluster.show()).toBe(true);
  expect(leaseIn(cluster)).toMatchObject({ id: 'L1', paused: true });
  await nobodyComes(cluster);
  return cluster;
}

test('a pause whose guardian fenced as it began, without an agent, is over for the agent after it', async () => {
  const cluster = await fencedAsThePauseBegan();
  await cluster.start('pg1');
  await nobodyComes(cluster);
  cluster.setPause(false);
  expect(await comesBack(cluster, 10_000)).toEqual(['pg1']);
});

test('that it is over is known to any later agent, also when the first one has started Postgres', async () => {
  const cluster = await fencedAsThePauseBegan();
  await cluster.start('pg1');
  cluster.consul.partition('pg1', true);
  cluster.setPause(false);
  expect(await cluster.until(() => cluster.host('pg1').up, 20_000), cluster.show()).toBe(true);
  cluster.kill('pg1');
  cluster.consul.partition('pg1', false);
  await nobodyComes(cluster);
  await cluster.start('pg1');
  expect(await comesBack(cluster, 10_000)).toEqual(['pg1']);
});

test('a release in maintenance mode that Consul never got is known to the agent after it', async () => {
  const cluster = await paused();
  dieBehind(cluster, 'drop', ({ released }) => released !== undefined);
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  expect(await cluster.until(() => !cluster.host('pg1').up, 6000), cluster.show()).toBe(true);
  await nobodyComes(cluster);
  expect(leaseIn(cluster)).toMatchObject({ id: 'L1', paused: true });
  await cluster.start('pg1');
  await cluster.run(3000);
  cluster.setPause(false);
  expect(await comesBack(cluster, 10_000)).toEqual(['pg1']);
});

test('an agent that adopts a lease with a deadline, paused in Consul, has the deadline lifted', async () => {
  const cluster = await healthy();
  dieBehind(cluster, 'lose-reply', (lease) => lease.paused === true);
  cluster.setPause(true);
  const died = await cluster.until(() => leaseIn(cluster)?.paused === true, 3000);
  expect(died, cluster.show()).toBe(true);
  await cluster.run(500);
  expect(cluster.host('pg1').armed?.paused, cluster.show()).not.toBe(true);
  await cluster.start('pg1');
  await cluster.run(1500);
  expect(cluster.host('pg1').armed?.paused, cluster.show()).toBe(true);
  cluster.isolate('pg1');
  await cluster.run(30_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.breaches).toEqual([]);
});

test('who knows that its paused lease is over and cannot lead again gives it back', async () => {
  const cluster = await fencedAsThePauseBegan();
  cluster.host('pg1').cannotStart = true;
  await cluster.start('pg1');
  await nobodyComes(cluster);
  cluster.setPause(false);
  expect(await comesBack(cluster, 20_000)).toEqual(['pg2']);
});

test('Postgres that runs under a paused lease is adopted with it, and nothing of it is given back', async () => {
  const cluster = await paused();
  cluster.kill('pg1');
  await cluster.start('pg1');
  cluster.setPause(false);
  await cluster.run(10_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(leaseIn(cluster)).toMatchObject({ id: 'L1', released: undefined });
});

test('where the host remembers nothing, as after a boot, nobody comes without a word of a person', async () => {
  const cluster = await fencedAsThePauseBegan();
  cluster.host('pg1').over = undefined;
  await cluster.start('pg1');
  cluster.setPause(false);
  await nobodyComes(cluster);
  void cluster.agent('pg2').submit({ kind: 'abandon' });
  await comesBack(cluster, 10_000);
});

test('an agent does not leave Postgres to a guardian that has not lifted its deadline', async () => {
  const cluster = await healthy();
  cluster.host('pg1').knowsNoPause = true;
  cluster.setPause(true);
  await cluster.run(3000);
  expect(leaseIn(cluster)).toMatchObject({ id: 'L1', paused: true });
  let end: string | undefined;
  void cluster
    .agent('pg1')
    .ended()
    .then(({ kind }) => {
      end = kind;
    });
  cluster.agent('pg1').shutdown();
  expect(await cluster.until(() => end !== undefined, 20_000), cluster.show()).toBe(true);
  expect(cluster.show()).toContain('ended (stopped)');
  expect(cluster.show()).not.toContain('ended (deadline)');
  expect(await comesBack(cluster, 5000)).toEqual(['pg2']);
});
