import { expect, test } from 'vitest';
import { FakeCluster, isTakeover } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

// 1. The leader dies, and Consul is wiped. Both candidates find it empty for long enough.
// 2. pg3 has no session: what it asks for is not tied to any. Its request is on its way for long.
// 3. pg2 is given generation 6, and leads.
// 4. Consul is wiped once more: all that the request checks, that no key exists, is true again.
// 5. It is granted, in the place of the lease that pg2 holds.
test.each([false, true])(
  'a late request is not granted in a store that was lost twice (lock of an old session: %s)',
  async (hasSession) => {
    const cluster = new FakeCluster();
    cluster.record(LEADS, MEMBERS);
    for (const name of ['pg2', 'pg3']) await cluster.start(name);
    await cluster.run(1000);
    let sessions = true;
    cluster.consul.intercept = (call) => {
      if (call.member !== 'pg3') return undefined;
      if (call.operation === 'open' && !sessions) return { kind: 'drop' };
      return isTakeover(call) ? { kind: 'delay', millis: 1000 } : undefined;
    };
    sessions = hasSession;
    cluster.consul.server.wipe();
    expect(await cluster.until(() => cluster.writable().length > 0, 20_000)).toBe(true);
    expect(cluster.writable(), cluster.show()).toEqual(['pg2']);
    cluster.consul.server.wipe();
    sessions = true;
    const late = (): boolean => cluster.host('pg3').writable;
    expect(await cluster.until(late, 2900), cluster.show()).toBe(false);
    await cluster.run(30_000);
    expect(cluster.breaches, cluster.show()).toEqual([]);
    expect(cluster.writable(), cluster.show()).toHaveLength(1);
  },
);

// 1. Consul is wiped, and is empty for long enough; pg2 asks for the lease, and that gets lost.
// 2. Its session ends: whatever it asks for with it will never be granted.
test('a request that has lost its session is given up, and made anew with another', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  await cluster.start('pg2');
  await cluster.run(1000);
  cluster.consul.server.wipe();
  let asked = false;
  cluster.consul.intercept = (call) => {
    asked ||= isTakeover(call);
    return isTakeover(call) ? { kind: 'drop' } : undefined;
  };
  expect(await cluster.until(() => asked, 20_000), cluster.show()).toBe(true);
  await cluster.run(1000);
  cluster.consul.server.wipe();
  cluster.consul.intercept = undefined;
  const leads = await cluster.until(() => cluster.writable().includes('pg2'), 25_000);
  expect(leads, cluster.show()).toBe(true);
});

// 1. The leader dies, and Consul is wiped. pg2 takes over generation 6 before anyone is registered
//    again: the list of those who may take over is lost, too.
// 2. pg2 is cut off from everyone, and Consul is wiped once more.
test('who wins an empty store has to ask everyone that it ever knew', async () => {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  for (const name of ['pg2', 'pg3']) await cluster.start(name);
  await cluster.run(1000);
  cluster.consul.server.wipe();
  let cut = false;
  cluster.consul.intercept = (call) => {
    if (call.member === 'pg2' && isTakeover(call) && !cut) {
      cut = true;
      cluster.clock.timer(20, () => {
        cluster.isolate('pg2');
        cluster.consul.server.wipe();
      });
    }
    const registers = call.member === 'pg3' && call.operation === 'commit';
    return registers && !cut ? { kind: 'drop' } : undefined;
  };
  expect(await cluster.until(() => cluster.writable().includes('pg2'), 20_000)).toBe(true);
  expect(await cluster.until(() => cluster.writable().includes('pg3'), 40_000)).toBe(true);
  expect(cluster.breaches, cluster.show()).toEqual([]);
});
