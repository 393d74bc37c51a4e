import { expect, test } from 'vitest';
import type { Command } from '../../../src/agent/facade.ts';
import { valueOf } from '../../../src/core/cluster.ts';
import type { FakeCall } from '../../harness/fake-store.ts';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
const ANSWERED_WITHIN_MILLIS = 40_000;

const switchoverTo = (candidate: string): Command => ({
  kind: 'switchover',
  leader: 'pg1',
  candidate,
});

async function healthy(members: readonly string[] = MEMBERS): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, members);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of members) await cluster.start(name);
  await cluster.run(10_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  return cluster;
}

const clears = ({ write }: FakeCall): boolean =>
  write?.changes.some((change) => change.kind === 'delete' && change.key === 'failover') === true;

/** What Consul has in key `failover`. */
const requested = (cluster: FakeCluster): unknown =>
  valueOf(cluster.consul.server.list('service/demo/').record.failover);

// 1. pg2 is asked for a switchover, and leaves the request in Consul for pg1.
// 2. Its own watch is a little late: what it has read last is of before the request.
test('a request that the own record does not show yet is not taken for one that was dropped', async () => {
  const cluster = await healthy();
  cluster.consul.intercept = ({ member, operation }) =>
    member === 'pg2' && operation === 'watch' ? { kind: 'delay-reply', millis: 400 } : undefined;
  await cluster.run(5000);
  const answer = await cluster.ask('pg2', switchoverTo('pg3'), ANSWERED_WITHIN_MILLIS);
  expect(answer, cluster.show()).toMatchObject({ kind: 'done', details: { leader: 'pg3' } });
  expect(cluster.log.filter((line) => line.includes('is dropped'))).toEqual([]);
});

// 1. pg1 carries out what pg3 was asked for and left in Consul; pg2 leads, and finds the request.
// 2. While it removes that, it writes down its promotion: key generation is not what it has read any more.
test('a request that was carried out is removed, whatever else the new leader writes meanwhile', async () => {
  const cluster = await healthy();
  let late = 0;
  cluster.consul.intercept = (call) => {
    if (call.member !== 'pg2' || !clears(call) || late > 0) return undefined;
    late += 1;
    return { kind: 'delay', millis: 60 };
  };
  void cluster.agent('pg3').submit({ kind: 'failover', candidate: 'pg2' });
  const moved = await cluster.until(() => cluster.writable().includes('pg2'), 5000);
  expect(moved, cluster.show()).toBe(true);
  await cluster.run(20_000);
  expect(late).toBe(1);
  expect(requested(cluster), cluster.show()).toBeUndefined();
});

// 1. pg1 acts on a request that was left for it; the candidate does not answer, which takes a while to know.
// 2. Meanwhile another one takes its place in Consul.
test('a request that came while another was acted on is not removed with that one', async () => {
  const cluster = await healthy();
  cluster.part('pg1', 'pg2');
  cluster.put('failover', { leader: 'pg1', member: 'pg2' });
  await cluster.run(500);
  const answer = await cluster.ask('pg3', switchoverTo('pg3'), ANSWERED_WITHIN_MILLIS);
  expect(answer, cluster.show()).toMatchObject({ kind: 'done', details: { leader: 'pg3' } });
});

// 1. pg2 is asked for a switchover to itself, and leaves the request in Consul for pg1, who hands over.
// 2. pg2 cannot promote, and gives the lease back: pg1 leads again, under a generation of its own.
test('that the former leader leads again is no success, whoever was asked for the switchover', async () => {
  const cluster = await healthy(['pg1', 'pg2']);
  cluster.host('pg2').cannotPromote = true;
  const answer = await cluster.ask('pg2', switchoverTo('pg2'), ANSWERED_WITHIN_MILLIS);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  expect(answer, cluster.show()).toEqual({
    kind: 'failed',
    message: 'nobody took over; pg1 leads again',
  });
});

// 1. pg2 is asked for a switchover, and writes the request into Consul, whose answer gets lost.
test('a request that Consul has not answered is not called undone', async () => {
  const cluster = await healthy();
  cluster.consul.intercept = ({ member, write }) =>
    member === 'pg2' &&
    write?.changes.some((change) => 'entry' in change && change.entry.key === 'failover') === true
      ? { kind: 'lose-reply' }
      : undefined;
  const answer = await cluster.ask('pg2', switchoverTo('pg3'), ANSWERED_WITHIN_MILLIS);
  expect(answer).toMatchObject({ kind: 'failed' });
  expect(answer.message).toContain('pg3 may yet become the leader');
  expect(cluster.writable(), cluster.show()).toEqual(['pg3']);
});
