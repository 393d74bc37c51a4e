import { beforeEach, describe, expect, test } from 'vitest';
import { FakeCluster, isTakeover } from './fake-cluster.ts';

/** The first leader of these tests is dead for good; its lease is the last thing it wrote. */
const DEAD = { holder: 'pg1', id: 'L1', n: 5 };
const MEMBERS = ['pg1', 'pg2', 'pg3'];
const PROMISE = {
  scope: 'demo',
  timeline: 0,
  ttlMillis: 3000,
  reachMillis: 15_000,
  request: 1,
  connUrl: '',
  apiUrl: '',
  slots: {},
};

let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster();
  cluster.record(DEAD, MEMBERS);
});

describe('a request for the lease that Consul does not answer', () => {
  // 1. pg2 asks for the lease; the request gets lost on the way.
  // 2. Consul answers everything from then on: what pg2 checked never moves.
  test('is repeated until it is settled, so that one lost packet costs no primary', async () => {
    await cluster.start('pg2');
    cluster.consul.intercept = (call) => (isTakeover(call) ? { kind: 'drop' } : undefined);
    await cluster.run(6000);
    expect(cluster.log.join('\n')).toContain('pg2 the request for the lease was not answered');
    cluster.consul.intercept = undefined;
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 10_000);
    expect(leads, cluster.show()).toBe(true);
  });

  // 1. pg2 asks; the transaction commits, and the answer gets lost.
  // 2. The reads that follow find the own id in the store.
  test('counts when a read finds it done', async () => {
    await cluster.start('pg2');
    cluster.consul.intercept = (call) => (isTakeover(call) ? { kind: 'lose-reply' } : undefined);
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 15_000);
    expect(leads, cluster.show()).toBe(true);
    expect(cluster.breaches).toEqual([]);
  });

  // 1. pg2 asks; the request gets lost. 2. The session of the dead leader ends, and key leader goes
  //    with it: the request checks an index that will never come back.
  test('is given up once the key of the dead leader has gone', async () => {
    await cluster.start('pg2');
    cluster.consul.intercept = (call) => (isTakeover(call) ? { kind: 'drop' } : undefined);
    await cluster.run(6000);
    cluster.consul.server.delete('service/demo/leader');
    cluster.consul.intercept = undefined;
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 10_000);
    expect(leads, cluster.show()).toBe(true);
  });

  // 1. pg2 asks; the request gets lost. 2. Consul is restored to a snapshot of before: every index
  //    that the request checks is lower than it was, and stays so, since nobody leads.
  test('is given up once Consul is that of the past, which can never grant it', async () => {
    const snapshot = cluster.consul.server.snapshot();
    await cluster.run(1000);
    cluster.takes({ holder: 'pg1', id: 'L2', n: 6, timeline: 4 });
    cluster.host('pg2').timeline = 4;
    await cluster.start('pg2');
    cluster.consul.intercept = (call) => (isTakeover(call) ? { kind: 'drop' } : undefined);
    await cluster.run(6000);
    expect(cluster.log.join('\n')).toContain('pg2 the request for the lease was not answered');
    cluster.consul.server.restore(snapshot);
    cluster.consul.intercept = undefined;
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 30_000);
    expect(leads, cluster.show()).toBe(true);
  });

  // 1. pg2 asks, and loses to pg3 in the same moment: 409.
  // 2. The read that would show who won gets lost.
  // 3. pg3 renews its lease; pg2 reads that, and is asked for a promise.
  // 4. pg3 dies.
  test('does not keep the loser from promising, nor from taking over later', async () => {
    const rival = { holder: 'pg3', id: 'L6', n: 6 };
    const agent = await cluster.start('pg2');
    let lost = false;
    cluster.consul.intercept = (call) => {
      if (!lost && call.member === 'pg2' && isTakeover(call)) {
        lost = true;
        cluster.takes(rival);
      }
      return lost && call.operation === 'read' ? { kind: 'drop' } : undefined;
    };
    expect(await cluster.until(() => lost, 10_000), cluster.show()).toBe(true);
    for (let beat = 6; beat < 26; beat += 1) {
      if (beat === 12) cluster.consul.intercept = undefined;
      cluster.beat(rival.id, rival.n, beat);
      await cluster.run(500);
    }
    const asked = { ...PROMISE, name: 'pg3', leaseId: rival.id, n: rival.n };
    expect(agent.promise(asked)).toMatchObject({ kind: 'promised' });
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 20_000);
    expect(leads, cluster.show()).toBe(true);
  });
});

describe('a Consul that refuses at once', () => {
  // 1. The lease of the dead leader is over. 2. pg2 asks for it, without the right to write: 403.
  test.each([
    ['for want of a right', { kind: 'deny' }],
    ['because nobody listens', { kind: 'refuse' }],
  ] as const)('%s is asked a few times a second, until it does not', async (_why, fault) => {
    let asked = 0;
    await cluster.start('pg2');
    cluster.consul.intercept = (call) => {
      if (!isTakeover(call)) return undefined;
      asked += 1;
      return fault;
    };
    await cluster.until(() => asked > 0, 10_000);
    await cluster.run(3000);
    expect(asked).toBeGreaterThan(6);
    expect(asked).toBeLessThan(15);
    cluster.consul.intercept = undefined;
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 1000);
    expect(leads, cluster.show()).toBe(true);
  });
});

describe('a Consul without a leader', () => {
  // 1. The lease is over as pg2 sees it; Consul answers nothing. What pg2 asked for now might be granted
  //    much later, and until then it could not promise the leader, which may be alive, to hold back.
  test('is not asked for the lease before it answers a question', async () => {
    const agent = await cluster.start('pg2');
    let asked = 0;
    cluster.consul.intercept = (call) => {
      if (isTakeover(call)) asked += 1;
      return { kind: 'drop' };
    };
    await cluster.run(8000);
    expect(asked, cluster.show()).toBe(0);
    expect(agent.explain().why).toContain('Consul does not answer');
    const asks = { ...PROMISE, name: DEAD.holder, leaseId: DEAD.id, n: DEAD.n };
    expect(agent.promise(asks)).toMatchObject({ kind: 'promised' });
    cluster.consul.intercept = undefined;
    const leads = await cluster.until(() => cluster.writable().includes('pg2'), 20_000);
    expect(leads, cluster.show()).toBe(true);
  });

  // 1. Both candidates ask for the lease while Consul has no leader; their requests are held.
  // 2. After 7 s Consul refuses what it held; nothing was committed.
  test('that comes back after it refused all requests finds a candidate that still asks', async () => {
    await cluster.start('pg2');
    await cluster.start('pg3');
    await cluster.run(500);
    cluster.consul.server.setLeader(false);
    await cluster.run(15_000);
    cluster.consul.server.setLeader(true);
    const leads = await cluster.until(() => cluster.writable().length === 1, 10_000);
    expect(leads, cluster.show()).toBe(true);
    await cluster.run(10_000);
    expect(cluster.breaches).toEqual([]);
  });

  // 1. Both candidates ask for the lease; Consul holds the requests for 5 s.
  // 2. It elects a leader and commits the first of them: by then that lease is over for its winner.
  // 3. The winner is a standby that was never promoted.
  test('commits a lease that is over by then, and no standby is killed for it', async () => {
    await cluster.start('pg2');
    await cluster.start('pg3');
    await cluster.run(500);
    cluster.consul.server.setLeader(false);
    await cluster.run(8000);
    cluster.consul.server.setLeader(true);
    const leads = await cluster.until(() => cluster.writable().length === 1, 10_000);
    expect(leads, cluster.show()).toBe(true);
    await cluster.run(30_000);
    expect(cluster.log.filter((line) => line.includes('HOST standby ended'))).toEqual([]);
    expect(cluster.breaches).toEqual([]);
    expect(cluster.writable()).toHaveLength(1);
  });
});
