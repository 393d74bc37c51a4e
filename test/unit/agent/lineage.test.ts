import { beforeEach, expect, test } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { END } from '../../harness/views.ts';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = new FakeCluster();
  cluster.record({ holder: 'pg1', id: 'L1', n: 5 }, MEMBERS);
  cluster.primary('pg1', 'L1', 5);
  for (const name of ['pg1', 'pg2']) await cluster.start(name);
  await cluster.run(5000);
  expect(cluster.host('pg2').facts.followed).toMatchObject({ id: 'L1', timeline: 3, from: 'pg1' });
});

// 1. pg1 takes generation 6 over and is promoted once more, but never gets to record that.
// 2. pg2 streams from it, and goes over to its timeline by itself.
test('a standby that goes over to a higher timeline writes down whose it is', async () => {
  cluster.takes({ holder: 'pg1', id: 'L6', n: 6, timeline: 0 });
  await cluster.run(100);
  cluster.host('pg2').timeline = 4;
  await cluster.run(1000);
  expect(cluster.host('pg2').facts.followed).toMatchObject({
    id: 'L6',
    timeline: 4,
    from: 'pg1',
  });
});

// pg3 has the lease by the time that the timeline is seen: it may be the one that pg1 passed on as a
// standby of pg3, or one of pg1's own.
test('of a leader that it was not pointed at, whose it is stays a guess', async () => {
  cluster.takes({ holder: 'pg3', id: 'L6', n: 6, timeline: 4 });
  cluster.host('pg2').timeline = 4;
  await cluster.run(1000);
  expect(cluster.host('pg2').facts.followed).toMatchObject({
    id: 'L1',
    timeline: 4,
    from: 'pg1',
    guessedFrom: END,
  });
});

// 1. pg1 promotes once more under its generation, and cannot record it. pg2 goes over to that timeline.
// 2. A heartbeat of pg1 shows that nobody else can have promoted meanwhile.
test('it is certain once its leader is heard of again', async () => {
  cluster.consulAway(true);
  cluster.host('pg2').timeline = 4;
  await cluster.run(600);
  expect(cluster.host('pg2').facts.followed).toMatchObject({ id: 'L1', guessedFrom: END });
  cluster.consulAway(false);
  await cluster.run(3000);
  const { followed } = cluster.host('pg2').facts;
  expect(followed).toMatchObject({ id: 'L1', timeline: 4, from: 'pg1' });
  expect(followed?.guessedFrom).toBeUndefined();
});

// 1. The store shows the past: pg1 leads under generation 6, and is promoted to timeline 4 under it.
// 2. It asks for a promise, and says so itself.
test.each([
  ['is that of the lease the leader of that very timeline holds', 4, 'L6', undefined],
  ['stays a guess where the leader has been promoted once more', 5, 'L1', END],
  ['stays a guess where the leader does not know its timeline', 0, 'L1', END],
])('a timeline that is streamed from the leader %s', async (_, timeline, id, guessedFrom) => {
  cluster.consulAway(true);
  cluster.kill('pg1');
  cluster.host('pg2').timeline = 4;
  const guessed = () => cluster.host('pg2').facts.followed?.guessedFrom !== undefined;
  expect(await cluster.until(guessed, 2000), cluster.show()).toBe(true);
  const ask = { scope: 'demo', name: 'pg1', leaseId: 'L6', n: 6, timeline, request: 1 };
  cluster
    .agent('pg2')
    .promise({ ...ask, ttlMillis: 3000, reachMillis: 15_000, connUrl: '', apiUrl: '', slots: {} });
  await cluster.run(100);
  expect(cluster.host('pg2').facts.followed).toMatchObject({ id, timeline: 4, from: 'pg1' });
  expect(cluster.host('pg2').facts.followed?.guessedFrom).toBe(guessedFrom);
});

test('nor is it one where the leader had said so before it was noticed', async () => {
  cluster.consulAway(true);
  cluster.kill('pg1');
  const ask = { scope: 'demo', name: 'pg1', leaseId: 'L6', n: 6, timeline: 4, request: 1 };
  cluster
    .agent('pg2')
    .promise({ ...ask, ttlMillis: 3000, reachMillis: 15_000, connUrl: '', apiUrl: '', slots: {} });
  cluster.host('pg2').timeline = 4;
  const noticed = () => cluster.host('pg2').facts.followed?.timeline === 4;
  expect(await cluster.until(noticed, 2000), cluster.show()).toBe(true);
  expect(cluster.host('pg2').facts.followed).toMatchObject({ id: 'L6', from: 'pg1' });
  expect(cluster.host('pg2').facts.followed?.guessedFrom).toBeUndefined();
});

// pg2 was promoted itself, and its agent was killed before it had written down that it follows nobody.
test('a timeline that was promoted here is not taken for one that was received', async () => {
  const promotion = { id: 'L9', timeline: 4, switchLsn: lsn(83886080n) };
  cluster.kill('pg2');
  const host = cluster.host('pg2');
  host.facts = { ...host.facts, promotions: [promotion] };
  cluster.host('pg2').timeline = 4;
  await cluster.start('pg2');
  await cluster.run(1000);
  expect(cluster.host('pg2').facts.followed).toMatchObject({ id: 'L1', timeline: 3, from: 'pg1' });
});

test('a promotion that is recorded says it better than a newer generation that made none', async () => {
  cluster.put('generation', {
    n: 7,
    id: 'L7',
    holder: 'pg3',
    timeline: 0,
    switch_lsn: 0,
    ancestors: [{ id: 'L6', holder: 'pg1', timeline: 4, switch_lsn: 83886080 }],
  });
  await cluster.run(100);
  cluster.host('pg2').timeline = 4;
  await cluster.run(1000);
  expect(cluster.host('pg2').facts.followed).toMatchObject({
    id: 'L6',
    timeline: 4,
    from: 'pg1',
  });
});

// 1. pg2 was promoted to timeline 3 itself; Consul is one of the past, where that number is pg1's.
// 2. pg2 takes over: who has the log of pg1 must not be told that it is part of the history of pg2.
test('a timeline that was promoted here is not written down as another one of that number', async () => {
  cluster.kill('pg1');
  cluster.kill('pg2');
  const host = cluster.host('pg2');
  const promotion = { id: 'L9', timeline: 3, switchLsn: lsn(83886080n) };
  const floor = { n: 6, id: 'L9' };
  host.facts = { ...host.facts, floor, promotions: [promotion], followed: undefined };
  await cluster.start('pg2');
  const leads = await cluster.until(() => cluster.writable().includes('pg2'), 20_000);
  expect(leads, cluster.show()).toBe(true);
  const ancestors = cluster.generation()?.ancestors.filter((entry) => entry.timeline === 3);
  expect(ancestors?.map((entry) => entry.id)).toEqual(['L9']);
});
