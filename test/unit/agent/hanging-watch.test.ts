import { expect, test } from 'vitest';
import { FakeCluster, isTakeover } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
/** By then Consul has elected another. */
const CONSUL_ELECTION_MILLIS = 2000;

// 1. The host of the leader stands still, with the server that leads Consul: the watches that others have
//    asked that server for hang there. Another server is elected, and answers whatever is asked anew.
// 2. One of the others takes over, and the third follows at once: neither waits for its old watch.
test('a watch that hangs on a server that is lost is asked anew before somebody takes over', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(10_000);
  let hangs = true;
  let taken = false;
  const hanging = new Set<string>();
  cluster.consul.intercept = (call) => {
    taken ||= isTakeover(call);
    if (call.operation !== 'watch' || !hangs) return undefined;
    hanging.add(call.member);
    return { kind: 'drop' };
  };
  // With the last heartbeat of pg1 everybody has watched anew.
  expect(await cluster.until(() => hanging.size === MEMBERS.length, 2000)).toBe(true);
  cluster.kill('pg1');
  cluster.host('pg1').end('exited');
  await cluster.run(CONSUL_ELECTION_MILLIS);
  hangs = false;
  expect(await cluster.until(() => taken, 10_000), cluster.show()).toBe(true);
  await cluster.run(500);
  const leader = cluster.generation()?.holder ?? '';
  const other = leader === 'pg2' ? 'pg3' : 'pg2';
  expect(cluster.agent(other).explain().why, cluster.show()).toContain(`follows ${leader}`);
  // That it was promoted stands in the record, which it has to have read again.
  expect(cluster.generation()?.timeline, cluster.show()).toBe(cluster.host(leader).timeline);
});
