import { describe, expect, test } from 'vitest';
import { FakeCluster, sets } from './fake-cluster.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

async function healthy(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  cluster.primary('pg1', LEADS.id, LEADS.n);
  for (const name of MEMBERS) await cluster.start(name);
  await cluster.run(20_000);
  expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  return cluster;
}

const ends = (cluster: FakeCluster): readonly string[] =>
  cluster.log.filter((line) => /HOST .* ended/.test(line));

describe('a new process of the leader', () => {
  // 1. Consul is away; promises carry the lease.
  // 2. The agent of the leader is killed and started again: it cannot read the failsafe list.
  test('keeps the lease by promises while Consul is away', async () => {
    const cluster = await healthy();
    cluster.consulAway(true);
    await cluster.run(20_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    cluster.kill('pg1');
    await cluster.run(300);
    await cluster.start('pg1');
    await cluster.run(30_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    cluster.consulAway(false);
    await cluster.run(20_000);
    expect(ends(cluster), cluster.show()).toEqual([]);
  });

  // 1. As above, and the new process is killed before it has heard anything from anyone.
  test('keeps it when it is the second one in a row', async () => {
    const cluster = await healthy();
    cluster.consulAway(true);
    await cluster.run(10_000);
    for (let round = 0; round < 2; round += 1) {
      cluster.kill('pg1');
      await cluster.run(100);
      await cluster.start('pg1');
    }
    await cluster.run(30_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  });

  // 1. pg3 joins; a heartbeat of pg1 puts it on the failsafe list. It commits, its answer gets lost,
  //    and pg1 reaches neither Consul nor pg3 any more.
  // 2. In that moment the agent of pg1 is killed, and started again.
  // 3. pg3 is listed and hears no heartbeat; pg2 goes on promising.
  test('asks everyone whom the process before it may have listed', async () => {
    const cluster = new FakeCluster();
    cluster.record(LEADS, ['pg1', 'pg2']);
    cluster.primary('pg1', LEADS.id, LEADS.n);
    await cluster.start('pg1');
    await cluster.start('pg2');
    await cluster.run(10_000);
    let listed = false;
    cluster.consul.intercept = (call) => {
      if (call.member !== 'pg1') return undefined;
      if (listed) return { kind: 'drop' };
      listed = sets(call, 'failsafe');
      return listed ? { kind: 'lose-reply' } : undefined;
    };
    await cluster.start('pg3');
    expect(await cluster.until(() => listed, 5000), cluster.show()).toBe(true);
    cluster.part('pg1', 'pg3');
    cluster.kill('pg1');
    await cluster.run(100);
    await cluster.start('pg1');
    const moved = await cluster.until(() => cluster.writable()[0] !== 'pg1', 20_000);
    expect(moved, cluster.show()).toBe(true);
    expect(cluster.breaches, cluster.show()).toEqual([]);
  });

  test('adopts the lease and the primary, and nobody notices', async () => {
    const cluster = await healthy();
    cluster.kill('pg1');
    await cluster.run(300);
    await cluster.start('pg1');
    await cluster.run(30_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(ends(cluster)).toEqual([]);
    expect(cluster.breaches).toEqual([]);
  });

  // 1. The agent is gone for longer than the lease: the guardian fences Postgres.
  // 2. Another member leads. 3. The agent is started again.
  test('that comes too late finds Postgres fenced and another leader', async () => {
    const cluster = await healthy();
    cluster.kill('pg1');
    const moved = await cluster.until(() => cluster.writable()[0] !== 'pg1', 10_000);
    expect(moved, cluster.show()).toBe(true);
    const leads = await cluster.until(() => cluster.writable().length === 1, 10_000);
    expect(leads, cluster.show()).toBe(true);
    await cluster.start('pg1');
    await cluster.run(20_000);
    expect(cluster.writable()).not.toContain('pg1');
    expect(cluster.breaches).toEqual([]);
  });
});

describe('a member that is away', () => {
  // 1. pg3 is cut off, or its host is being moved; its session ends and its key goes.
  // 2. The agent of the leader is started again: it has never seen pg3.
  // 3. A list without pg3 could be extended without asking it, while pg3 still reads the list before.
  test('stays on the failsafe list when the agent of the leader is started again', async () => {
    const cluster = await healthy();
    cluster.kill('pg3');
    cluster.host('pg3').end('exited');
    await cluster.run(30_000);
    const record = (): unknown => cluster.agent('pg2').cluster()?.record;
    expect(record()).toMatchObject({
      members: [{ key: { name: 'pg1' } }, { key: { name: 'pg2' } }],
    });
    cluster.kill('pg1');
    await cluster.run(300);
    await cluster.start('pg1');
    await cluster.run(30_000);
    expect(record()).toMatchObject({
      failsafe: {
        value: { pg1: expect.anything(), pg2: expect.anything(), pg3: expect.anything() },
      },
    });
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
  });

  // 1. As above. 2. Consul goes away: pg3 cannot promise, so the lease cannot be extended.
  test('is asked for its promise all the same', async () => {
    const cluster = await healthy();
    cluster.kill('pg3');
    cluster.host('pg3').end('exited');
    await cluster.run(30_000);
    cluster.kill('pg1');
    await cluster.run(300);
    await cluster.start('pg1');
    await cluster.run(5000);
    cluster.consulAway(true);
    await cluster.run(10_000);
    expect(cluster.writable(), cluster.show()).toEqual([]);
  });
});

describe('a probe that is not answered', () => {
  // 1. A primary of a busy host misses one probe of 1 s; it was last answered half a second ago.
  test('says nothing against a primary that answers the next one', async () => {
    const cluster = await healthy();
    const host = cluster.host('pg1');
    host.probesUnanswered = true;
    await cluster.run(2000);
    host.probesUnanswered = false;
    await cluster.run(10_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(ends(cluster)).toEqual([]);
  });

  // 1. The agent is started again beside a primary that is busy: its first probe gets no answer.
  test('says nothing when it is the first one of a new process either', async () => {
    const cluster = await healthy();
    cluster.kill('pg1');
    cluster.host('pg1').probesUnanswered = true;
    await cluster.run(300);
    await cluster.start('pg1');
    await cluster.run(2000);
    cluster.host('pg1').probesUnanswered = false;
    await cluster.run(10_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(ends(cluster)).toEqual([]);
  });

  // 1. The connection to the guardian breaks and is made anew: it tells its state once more.
  // 2. The probe after that gets no answer.
  test('says nothing when the guardian has just told the same once more', async () => {
    const cluster = await healthy();
    const host = cluster.host('pg1');
    host.probesUnanswered = true;
    host.tell();
    await cluster.run(2000);
    host.probesUnanswered = false;
    await cluster.run(10_000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(ends(cluster)).toEqual([]);
  });
});
