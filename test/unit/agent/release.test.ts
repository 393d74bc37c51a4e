import { expect, test } from 'vitest';
import type { CommandAnswer } from '../../../src/agent/facade.ts';
import { FakeCluster, isRelease, isTakeover, sets } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

async function healthy(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(10_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  return cluster;
}

// 1. pg1 stops Postgres and sends the release; it is on its way for 1.2 s.
// 2. The agent of pg1 is killed and started again: its lease has time left, on the guardian too.
// 3. The new process finds Postgres down under that lease.
// 4. The release commits; pg2, who is named in it, goes at once.
test('a release that was sent is final for the next process of this host too', async () => {
  const cluster = await healthy();
  let sent = false;
  cluster.consul.intercept = (call) => {
    if (isRelease(call)) {
      sent = true;
      return { kind: 'delay', millis: 1200 };
    }
    return sent && call.member === 'pg1' ? { kind: 'delay', millis: 2000 } : undefined;
  };
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  expect(await cluster.until(() => sent, 5000), cluster.show()).toBe(true);
  cluster.kill('pg1');
  await cluster.run(300);
  await cluster.start('pg1');
  const moved = await cluster.until(() => cluster.writable().includes('pg2'), 20_000);
  expect(moved, cluster.show()).toBe(true);
  await cluster.run(20_000);
  expect(cluster.breaches, cluster.show()).toEqual([]);
});

// 1. Consul goes away; the members promise, and pg1 goes on.
// 2. An operator asks pg1 for a switchover: it would stop Postgres for a release nobody can read.
test('a switchover is refused while only promises carry the lease, and writes go on', async () => {
  const cluster = await healthy();
  cluster.consulAway(true);
  await cluster.run(10_000);
  let answer: CommandAnswer | undefined;
  void cluster
    .agent('pg1')
    .submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' })
    .then((said) => {
      answer = said;
    });
  await cluster.run(60_000);
  expect(answer).toMatchObject({ kind: 'refused', cause: 'precondition' });
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.log.filter((line) => /HOST .* ended/.test(line))).toEqual([]);
});

// 1. A switchover has begun, and Postgres is down: the guardian is told that the lease is over.
// 2. While it writes that down, a heartbeat that is on its way is acknowledged.
test('a heartbeat that is acknowledged while the release is prepared disturbs nothing', async () => {
  const cluster = await healthy();
  cluster.host('pg1').keepMillis = 1500;
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  const moved = await cluster.until(() => cluster.writable().includes('pg2'), 5000);
  expect(moved, cluster.show()).toBe(true);
  expect(cluster.breaches).toEqual([]);
});

// 1. A switchover has begun: Postgres takes a second to stop. Consul goes away meanwhile.
// 2. Nobody could read a release, and nobody would promote.
test('a switchover that Consul stops answering is broken off, and the leader serves again', async () => {
  const cluster = await healthy();
  cluster.host('pg1').stopMillis = 1000;
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  await cluster.run(100);
  cluster.consulAway(true);
  await cluster.run(60_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.breaches).toEqual([]);
});

// 1. A switchover has begun; Postgres is being stopped.
// 2. The agent is killed and started again: it remembers nothing of the switchover, and adopts a
//    Postgres that is about to end.
test('a switchover that the agent does not survive leaves one primary behind', async () => {
  const cluster = await healthy();
  cluster.host('pg1').stopMillis = 1000;
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  await cluster.run(300);
  cluster.kill('pg1');
  await cluster.run(300);
  await cluster.start('pg1');
  const ended = (): boolean => cluster.log.some((line) => line.includes('HOST primary ended'));
  expect(await cluster.until(ended, 5000), cluster.show()).toBe(true);
  expect(await cluster.until(() => cluster.writable().length === 1, 10_000)).toBe(true);
  await cluster.run(20_000);
  expect(cluster.writable(), cluster.show()).toHaveLength(1);
  expect(cluster.breaches).toEqual([]);
});

// 1. pg1 stops Postgres to hand over. Its key leader vanishes in that moment, and a member of
//    Patroni's, which knows no lease, takes it and leads.
// 2. pg1 writes its release, on what it read before.
test('a release does not take the key of a leader that knows no lease', async () => {
  const cluster = await healthy();
  let taken = false;
  cluster.consul.intercept = (call) => {
    if (!taken && call.member === 'pg1' && isRelease(call)) {
      taken = true;
      cluster.consul.server.delete('service/demo/leader');
      cluster.put('leader', 'patroni1');
    }
    return undefined;
  };
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  expect(await cluster.until(() => taken, 5000), cluster.show()).toBe(true);
  await cluster.run(20_000);
  expect(cluster.agent('pg2').cluster()?.record.leader).toMatchObject({
    value: { member: 'patroni1' },
  });
  expect(cluster.writable(), cluster.show()).toEqual([]);
});

// 1. A heartbeat is late: pg2 promises pg1 to hold back. The next one arrives.
// 2. A switchover follows; pg2 reads the release, which frees it, and takes over.
// 3. The record now shows the own lease: the release is no longer to be seen in it.
test('a promise to a leader that released its lease does not hold the promotion up', async () => {
  const cluster = await healthy();
  let late = false;
  cluster.consul.intercept = (call) => {
    if (isTakeover(call)) return { kind: 'delay-reply', millis: 50 };
    if (late || call.member !== 'pg1' || !sets(call, 'lease')) return undefined;
    late = true;
    return { kind: 'delay', millis: 400 };
  };
  const promised = (): boolean => cluster.log.some((line) => line.includes('all members promised'));
  expect(await cluster.until(promised, 5000), cluster.show()).toBe(true);
  await cluster.run(500);
  const begunAt = cluster.clock.now();
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  expect(await cluster.until(() => cluster.writable()[0] === 'pg2', 10_000)).toBe(true);
  expect(cluster.clock.now() - begunAt, cluster.show()).toBeLessThan(500);
  expect(cluster.breaches).toEqual([]);
});

// 1. pg1 releases its lease; the answer of Consul is on its way for 1.9 s.
// 2. pg2 takes over, cannot promote, and gives the lease back: pg1 leads again, under another lease.
// 3. The answer arrives, and is about the lease of before.
test('a release that is answered late ends no lease but its own', async () => {
  const cluster = await healthy();
  cluster.host('pg2').cannotPromote = true;
  let released = false;
  cluster.consul.intercept = (call) => {
    if (released || call.member !== 'pg1' || !isRelease(call)) return undefined;
    released = true;
    return { kind: 'delay-reply', millis: 1900 };
  };
  void cluster.agent('pg1').submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  const back = (): boolean => released && cluster.writable().includes('pg1');
  expect(await cluster.until(back, 1500), cluster.show()).toBe(true);
  await cluster.run(10_000);
  expect(cluster.log.filter((line) => line.includes('HOST primary ended (fenced)'))).toEqual([]);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(cluster.breaches).toEqual([]);
});

// 1. pg2 was told to stop; its Postgres still answers while it does.
// 2. A switchover to it would leave nobody to take it: pg1 would have to stop and start again for nothing.
test('a member that is being stopped is no candidate', async () => {
  const cluster = await healthy();
  cluster.host('pg2').stopMillis = 1000;
  cluster.agent('pg2').shutdown();
  await cluster.run(50);
  const answer = cluster
    .agent('pg1')
    .submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg2' });
  await cluster.run(20_000);
  expect(cluster.log.filter((line) => line.includes('HOST primary ended'))).toEqual([]);
  expect(await answer).toMatchObject({ kind: 'refused', cause: 'precondition' });
});
