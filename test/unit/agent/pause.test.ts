import { expect, test } from 'vitest';
import type { AgentEnd } from '../../../src/agent/agent.ts';
import { valueOf } from '../../../src/core/cluster.ts';
import type { Lease } from '../../../src/core/cluster.ts';
import type { FakeCall } from '../../harness/fake-store.ts';
import { FakeCluster, isTakeover } from './fake-cluster.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

const leaseIn = (cluster: FakeCluster): Lease | undefined =>
  valueOf(cluster.consul.server.list('service/demo/').record.lease);

const leaseOf = (call: FakeCall): Lease | undefined => {
  for (const change of call.write?.changes ?? []) {
    if (change.kind !== 'delete' && change.entry.key === 'lease') return change.entry.value;
  }
  return undefined;
};

/** pg1 leads, pg2 follows, and the pause is in force. */
async function paused(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(2000);
  cluster.setPause(true);
  await cluster.run(2000);
  expect(cluster.host('pg1').armed?.paused, cluster.show()).toBe(true);
  return cluster;
}

function endOf(cluster: FakeCluster, name: string): () => AgentEnd['kind'] | undefined {
  let end: AgentEnd['kind'] | undefined;
  void cluster
    .agent(name)
    .ended()
    .then(({ kind }) => {
      end = kind;
    });
  return () => end;
}

test('a leader that is alone goes on for as long as it takes, and nobody takes over', async () => {
  const cluster = await paused();
  cluster.isolate('pg1');
  await cluster.run(120_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.agent('pg1').status()).toMatchObject({ acceptsWrites: true, paused: true });
  expect(cluster.agent('pg2').explain().why).toMatch(/the lease of pg1 is paused/);
});

test('a leader that is told to stop leaves Postgres and the lease, and the next agent adopts them', async () => {
  const cluster = await paused();
  const end = endOf(cluster, 'pg1');
  cluster.agent('pg1').shutdown();
  expect(await cluster.until(() => end() !== undefined, 5000), cluster.show()).toBe(true);
  expect(end()).toBe('kept');
  await cluster.agent('pg1').detach();
  cluster.kill('pg1');
  await cluster.run(60_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(leaseIn(cluster)).toMatchObject({ id: 'L1', paused: true, released: undefined });
  await cluster.start('pg1');
  await cluster.run(2000);
  expect(cluster.agent('pg1').status().acceptsWrites, cluster.show()).toBe(true);
  expect(cluster.breaches).toEqual([]);
});

test('an agent that is started while Consul is away keeps what was paused', async () => {
  const cluster = await paused();
  cluster.kill('pg1');
  cluster.consulAway(true);
  await cluster.run(30_000);
  // What it reads of its files knows nothing of the pause.
  cluster.setPause(false);
  await cluster.start('pg1');
  await cluster.run(30_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.host('pg1').armed?.paused).toBe(true);
});

test('the guardian has a deadline before the beat that ends the pause is sent', async () => {
  const cluster = await paused();
  const armedAtTheSend: (boolean | undefined)[] = [];
  cluster.consul.intercept = (call) => {
    const lease = leaseOf(call);
    if (call.member === 'pg1' && lease !== undefined && lease.paused !== true)
      armedAtTheSend.push(cluster.host('pg1').armed?.paused);
    return undefined;
  };
  cluster.setPause(false);
  await cluster.run(2000);
  expect(armedAtTheSend.length, cluster.show()).toBeGreaterThan(0);
  expect(armedAtTheSend.every((still) => still !== true)).toBe(true);
  expect(leaseIn(cluster)?.paused).toBeUndefined();
  expect(cluster.agent('pg1').status().paused).toBe(false);
});

test('the pause goes on as long as the guardian takes no deadline', async () => {
  const cluster = await paused();
  cluster.host('pg1').takesNoDeadline = true;
  cluster.setPause(false);
  await cluster.run(10_000);
  expect(leaseIn(cluster)?.paused, cluster.show()).toBe(true);
  expect(cluster.host('pg1').armed?.paused).toBe(true);
  cluster.host('pg1').takesNoDeadline = false;
  await cluster.run(2000);
  expect(leaseIn(cluster)?.paused, cluster.show()).toBeUndefined();
});

test('the pause goes on as long as Consul has not answered the beat before', async () => {
  const cluster = await paused();
  cluster.isolate('pg1');
  await cluster.run(5000);
  cluster.setPause(false);
  await cluster.run(60_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.host('pg1').armed?.paused).toBe(true);
});

test('a leader whose resume is never answered is fenced within its ttl', async () => {
  const cluster = await paused();
  cluster.setFailsafe('pg1', false);
  cluster.consul.intercept = (call) => {
    const lease = leaseOf(call);
    const resumes = call.member === 'pg1' && lease !== undefined && lease.paused !== true;
    // It arrives, and nothing comes back from then on.
    if (resumes) cluster.clock.timer(10, () => cluster.isolate('pg1'));
    return resumes ? { kind: 'lose-reply' } : undefined;
  };
  cluster.setPause(false);
  expect(await cluster.until(() => !cluster.host('pg1').writable, 4000), cluster.show()).toBe(true);
  expect(await cluster.until(() => cluster.host('pg2').writable, 10_000), cluster.show()).toBe(
    true,
  );
  expect(cluster.breaches).toEqual([]);
});

test('a leader whose lease was given up in its name fences itself when it hears of it', async () => {
  const cluster = await paused();
  cluster.consul.partition('pg1', true);
  cluster.part('pg1', 'pg2');
  cluster.setPause(false);
  await cluster.run(5000);
  const answer = cluster.agent('pg2').submit({ kind: 'abandon' });
  await cluster.run(1000);
  await expect(answer).resolves.toMatchObject({ kind: 'done' });
  cluster.consul.partition('pg1', false);
  expect(await cluster.until(() => !cluster.host('pg1').writable, 4000), cluster.show()).toBe(true);
});

test('nobody gives a lease up whose holder says that it has it', async () => {
  const cluster = await paused();
  cluster.consul.partition('pg1', true);
  await cluster.run(5000);
  const answer = cluster.agent('pg2').submit({ kind: 'abandon' });
  await cluster.run(1000);
  await expect(answer).resolves.toMatchObject({
    kind: 'refused',
    message: 'pg1 answers and says that it holds the lease: its Postgres is not down',
  });
  expect(leaseIn(cluster)?.released).toBeUndefined();
});

test('Postgres of the leader stays down when it ends, and is started when an operator says so', async () => {
  const cluster = await paused();
  cluster.host('pg1').end('exited');
  await cluster.run(30_000);
  expect(cluster.writable(), cluster.show()).toEqual([]);
  expect(cluster.agent('pg1').explain()).toMatchObject({ rule: 'R270' });
  expect(cluster.agent('pg1').status()).toMatchObject({ acceptsWrites: false, holdsLease: true });
  const answer = cluster.agent('pg1').submit({
    kind: 'restart',
    onlyIfPending: false,
    onlyIfRole: undefined,
    onlyIfVersionBelow: undefined,
    timeoutMillis: undefined,
  });
  await cluster.run(5000);
  await expect(answer).resolves.toMatchObject({ kind: 'done' });
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
});

test('an agent that finds its paused lease with a Postgres that is down leads again after the resume', async () => {
  const cluster = await paused();
  cluster.host('pg1').end('exited');
  await cluster.run(1000);
  cluster.kill('pg1');
  await cluster.run(20_000);
  await cluster.start('pg1');
  await cluster.run(5000);
  expect(cluster.writable(), cluster.show()).toEqual([]);
  cluster.setPause(false);
  expect(await cluster.until(() => cluster.writable().length > 0, 10_000), cluster.show()).toBe(
    true,
  );
  expect(cluster.writable()).toEqual(['pg1']);
});

// 1. pg1 is cut off, and its sessions get no answer; an operator takes it for dead, and is wrong.
// 2. pg1 reads the release in its name before the next generation is there.
test('a leader whose lease was given up in its name is fenced, though its Postgres does not answer', async () => {
  const cluster = await paused();
  cluster.isolate('pg1');
  await cluster.run(5000);
  cluster.host('pg1').probesUnanswered = true;
  await cluster.run(5000);
  cluster.consul.intercept = (call) =>
    call.member === 'pg2' && isTakeover(call) ? { kind: 'delay', millis: 1200 } : undefined;
  void cluster.agent('pg2').submit({ kind: 'abandon' });
  await cluster.run(350);
  cluster.consul.partition('pg1', false);
  const fenced = await cluster.until(() => !cluster.host('pg1').writable, 5000);
  expect(fenced, cluster.show()).toBe(true);
  expect(cluster.breaches, cluster.show()).toEqual([]);
});

// The hand-over was broken off before Postgres was told to stop: there is nothing to come back from.
test('a switchover that was broken off starts nothing in a later pause', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1', 'pg2']);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(4000);
  cluster.restMillis = 60;
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  const asksAgain = () => cluster.log.some((line) => line.includes('asks once more'));
  expect(await cluster.until(asksAgain, 3000), cluster.show()).toBe(true);
  cluster.part('pg1', 'pg2');
  await cluster.run(3000);
  cluster.setPause(true);
  await cluster.run(3000);
  cluster.host('pg1').end('exited');
  await cluster.run(20_000);
  expect(cluster.host('pg1').up, cluster.show()).toBe(false);
});
