import { expect, test } from 'vitest';
import type { CommandAnswer } from '../../../src/agent/facade.ts';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
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

// 1. pg2 is asked for a switchover, and leaves the request in Consul for pg1.
// 2. Its own watch is a little late: what it has read last is of before the request.
test('a request that the own record does not show yet is not taken for one that was dropped', async () => {
  const cluster = await healthy();
  cluster.consul.intercept = ({ member, operation }) =>
    member === 'pg2' && operation === 'watch' ? { kind: 'delay-reply', millis: 400 } : undefined;
  await cluster.run(5000);
  let answer: CommandAnswer | undefined;
  void cluster
    .agent('pg2')
    .submit({ kind: 'switchover', leader: 'pg1', candidate: 'pg3' })
    .then((said) => {
      answer = said;
    });
  expect(await cluster.until(() => answer !== undefined, 40_000), cluster.show()).toBe(true);
  expect(answer, cluster.show()).toMatchObject({ kind: 'done', details: { leader: 'pg3' } });
});
