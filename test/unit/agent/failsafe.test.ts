import { expect, test } from 'vitest';
import { findMember, valueOf } from '../../../src/core/cluster.ts';
import { FakeCluster } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
const LONG_MILLIS = 10_000;
const SHORT_MILLIS = 3000;

// 1. ttl is 10 s; Consul answers no heartbeat, and pg1 asks for promises of 10 s. They take 200 ms.
// 2. Meanwhile the ttl becomes 3 s: a heartbeat that carries it is sent. It may be in the store.
// 3. The promises arrive. A voter that is started anew now has forgotten its own, reads 3 s, and
//    takes over after them.
test.each([0, 50, 100, 150, 200, 250])(
  'promises of before a shorter ttl was sent are not counted any more (%i ms into it)',
  async (phaseMillis) => {
    const cluster = new FakeCluster();
    cluster.record(LEADS, MEMBERS);
    cluster.primary('pg1', LEADS.id, LEADS.n);
    for (const name of MEMBERS) {
      cluster.setTtl(name, LONG_MILLIS);
      await cluster.start(name);
    }
    const left = (): number => cluster.agent('pg1').status().leaseLeftMillis ?? 0;
    await cluster.run(20_000);
    expect(left()).toBeGreaterThan(LONG_MILLIS - 1000);
    cluster.restMillis = 200;
    cluster.consul.intercept = (call) =>
      call.operation === 'commit' ? { kind: 'drop' } : undefined;
    const asks = (): boolean => cluster.agent('pg1').status().failsafeActive;
    expect(await cluster.until(asks, 5000), cluster.show()).toBe(true);
    await cluster.run(phaseMillis);
    for (const name of MEMBERS) cluster.setTtl(name, SHORT_MILLIS);
    expect(await cluster.until(() => left() <= SHORT_MILLIS, 2000), cluster.show()).toBe(true);
    const grown = await cluster.until(() => left() > SHORT_MILLIS, 3000);
    expect(grown, cluster.show()).toBe(false);
    expect(cluster.writable()).toEqual(['pg1']);
  },
);

// 1. A member comes, and stands by a moment later; the last heartbeat was sent some time ago.
// 2. The leader is lost at any moment from then on. Whoever is not listed may not take over.
test.each([0, 100, 200, 300, 400])(
  'a new member is on the list at once, not with the next heartbeat that is due (%i ms into it)',
  async (phaseMillis) => {
    const cluster = new FakeCluster();
    cluster.record(LEADS, ['pg1']);
    cluster.primary('pg1', LEADS.id, LEADS.n);
    await cluster.start('pg1');
    await cluster.run(10_000 + phaseMillis);
    const stored = () => cluster.consul.server.list('service/demo/').record;
    await cluster.start('pg2');
    const runs = (): boolean => findMember(stored(), 'pg2')?.key.state === 'running';
    expect(await cluster.until(runs, 2000), cluster.show()).toBe(true);
    const listed = await cluster.until(() => 'pg2' in (valueOf(stored().failsafe) ?? {}), 150);
    expect(listed, cluster.show()).toBe(true);
  },
);
