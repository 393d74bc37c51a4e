import { describe, expect, test } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { END } from '../../harness/views.ts';
import type { FakeCall } from '../../harness/fake-store.ts';
import { FakeCluster } from './fake-cluster.ts';
import type { FakeHost } from './fake-host.ts';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const LEADS = { holder: 'pg1', id: 'L1', n: 5 };
const NOBODY = '"__pgbaton_nobody__"';

/** pg1 leads, the others stream from it; commits wait for pg2 once the mode has settled. */
async function synchronous(
  strict = false,
  prepare: (cluster: FakeCluster) => void = () => undefined,
): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, MEMBERS);
  for (const name of MEMBERS) cluster.setSynchronous(name, { mode: 'on', strict });
  const leader = cluster.primary('pg1', LEADS.id, LEADS.n);
  leader.standbys = { pg2: END };
  prepare(cluster);
  for (const name of MEMBERS) await cluster.start(name);
  return cluster;
}

async function settled(strict = false): Promise<FakeCluster> {
  const cluster = await synchronous(strict);
  await comesTrue(cluster, () => cluster.sync()?.standbys.includes('pg2') === true);
  expect(cluster.host('pg1').names).toBe('"pg2"');
  return cluster;
}

async function comesTrue(
  cluster: FakeCluster,
  condition: () => boolean,
  boundMillis = 15_000,
): Promise<void> {
  expect(await cluster.until(condition, boundMillis), cluster.show()).toBe(true);
}

/** Puts that member on the record. */
const puts = (call: FakeCall, name: string): boolean =>
  call.write?.changes.some(
    (change) =>
      change.kind === 'set' &&
      change.entry.key === 'sync' &&
      change.entry.value.standbys.includes(name),
  ) === true;

/** What the agents and Postgres did, in order, out of these lines. */
const told = (cluster: FakeCluster, pattern: RegExp): readonly string[] =>
  cluster.log.flatMap((line) => pattern.exec(line)?.[0] ?? []);

/** With its agent, its guardian and its Postgres. */
function lose(cluster: FakeCluster, name: string): FakeHost {
  const host = cluster.host(name);
  cluster.kill(name);
  host.disarm();
  host.end('fenced');
  return host;
}

describe('the leader', () => {
  // 1. The mode is on, nothing is in force: pg2 streams.
  test('puts the mode in force, then has commits wait, then puts the standby on the record', async () => {
    const cluster = await settled();
    const steps = told(cluster, /pg1 (HOST waits for .*|key sync was written .*)/);
    expect(steps).toEqual([
      'pg1 key sync was written {"leader":"pg1","standbys":[],"quorum":0}',
      'pg1 HOST waits for "pg2"',
      'pg1 key sync was written {"leader":"pg1","standbys":["pg2"],"quorum":0}',
    ]);
    expect(cluster.host('pg3').names).toBe(NOBODY);
  });

  // 1. The write that puts pg2 on the record commits, and its answer gets lost.
  // 2. pg2 is gone in that moment.
  test('writes the key once more after an answer that was lost, before commits stop waiting', async () => {
    let lost = false;
    const cluster = await synchronous(false, (prepared) => {
      prepared.consul.intercept = (call) => {
        if (lost || !puts(call, 'pg2')) return undefined;
        lost = true;
        prepared.host('pg1').standbys = {};
        return { kind: 'lose-reply' };
      };
    });
    await comesTrue(cluster, () => lost && cluster.host('pg1').names === '');
    expect(cluster.sync()).toMatchObject({ leader: 'pg1', standbys: [] });
    const waits = cluster.log.findIndex((line) => line.includes('pg1 HOST waits for nobody'));
    const written = cluster.log.findLastIndex((line) => line.includes('"standbys":[]'));
    expect(written, cluster.show()).toBeLessThan(waits);
  });

  // 1. All is settled. 2. The agent of pg1 is killed, and started again.
  test('makes the key its own again after a restart of its agent, and commits go on waiting', async () => {
    const cluster = await settled();
    const before = cluster.sync()?.version ?? 0;
    cluster.kill('pg1');
    await cluster.run(100);
    await cluster.start('pg1');
    await comesTrue(cluster, () => (cluster.sync()?.version ?? 0) > before);
    await cluster.run(3000);
    expect(cluster.sync()).toMatchObject({ leader: 'pg1', standbys: ['pg2'], version: before + 1 });
    expect(told(cluster, /pg1 HOST waits for .*/)).toEqual(['pg1 HOST waits for "pg2"']);
  });

  // 1. The agent of pg1 is killed whenever it has taken one more step, and started again.
  test('comes to the same end when it is killed after each step', async () => {
    const cluster = await synchronous();
    for (let step = 1; step <= 3; step += 1) {
      const steps = (): number => told(cluster, /pg1 (HOST waits for|key sync was written)/).length;
      await cluster.until(() => steps() >= step, 3000);
      cluster.kill('pg1');
      await cluster.run(50);
      await cluster.start('pg1');
    }
    await comesTrue(cluster, () => cluster.sync()?.standbys.includes('pg2') === true);
    expect(cluster.host('pg1').names).toBe('"pg2"');
    expect(cluster.writable()).toEqual(['pg1']);
  });

  // 1. Postgres of pg1 crashes; the others find out only later.
  test('restarts in place with the names in effect before it is promoted', async () => {
    const cluster = await settled();
    cluster.host('pg1').end('exited');
    await comesTrue(cluster, () => cluster.host('pg1').writable);
    expect(told(cluster, /pg1 HOST promoted .*/)).toEqual([
      'pg1 HOST promoted to timeline 4, waits for "pg2"',
    ]);
  });

  // 1. The mode is turned off, and on again.
  test('gives up the key before the names when the mode is turned off, and begins anew', async () => {
    const cluster = await settled();
    for (const name of MEMBERS) cluster.setSynchronous(name, { mode: 'off' });
    await comesTrue(cluster, () => cluster.host('pg1').told === undefined);
    expect(cluster.sync()).toMatchObject({ leader: undefined, standbys: [] });
    await cluster.run(2000);
    expect(cluster.host('pg3').told).toBeUndefined();
    for (const name of MEMBERS) cluster.setSynchronous(name, { mode: 'on' });
    await comesTrue(cluster, () => cluster.sync()?.standbys.includes('pg2') === true);
    expect(cluster.host('pg1').names).toBe('"pg2"');
  });

  // 1. Consul is wiped; pg1 goes on.
  test('writes the key back into a Consul that has lost it, with its lease', async () => {
    const cluster = await settled();
    cluster.consul.server.wipe();
    await comesTrue(cluster, () => cluster.sync()?.standbys.includes('pg2') === true);
    await cluster.run(5000);
    expect(cluster.writable(), cluster.show()).toEqual(['pg1']);
    expect(cluster.sync()).toMatchObject({ leader: 'pg1', standbys: ['pg2'] });
  });
});

describe('a failover', () => {
  // 1. pg1 is lost with its host. pg3 has as much of the log as pg2.
  test('is to the synchronous standby or by its vote, and its commits wait from the first on', async () => {
    const cluster = await settled(true);
    lose(cluster, 'pg1');
    await comesTrue(cluster, () => cluster.writable().length > 0);
    expect(cluster.sync()?.standbys, cluster.show()).toContain('pg1');
    expect(told(cluster, /HOST promoted .*/)[0]).toMatch(/waits for ("pg1"|2 \("pg1","pg2"\))$/);
  });

  // 1. pg1 and pg2 are lost; pg3 is no synchronous standby.
  test('does not happen without the synchronous standby, and says what an operator can do', async () => {
    const cluster = await settled();
    lose(cluster, 'pg1');
    lose(cluster, 'pg2');
    await cluster.run(60_000);
    expect(cluster.writable(), cluster.show()).toEqual([]);
    const { why, waitsFor } = cluster.agent('pg3').explain();
    expect(`${why} ${waitsFor.join()}`).toMatch(/pg2.*failover --candidate pg3 --force/);
    void cluster.agent('pg3').submit({ kind: 'failover', candidate: 'pg3' });
    await comesTrue(cluster, () => cluster.writable().includes('pg3'));
    expect(cluster.log.join('\n')).toContain('synchronous commits that this member lacks are lost');
  });

  // 1. pg1 is lost; pg3 is further than pg2, by what nobody was told of.
  test('asks the voter, which is behind, for the vote', async () => {
    const cluster = await settled();
    cluster.host('pg2').position = lsn(END - 8n);
    lose(cluster, 'pg1');
    await comesTrue(cluster, () => cluster.writable().includes('pg3'));
  });

  // 1. pg1 is lost. 2. Postgres of pg2 does not read its configuration again.
  test('does not end in a promotion when the names do not come into effect', async () => {
    const cluster = await settled();
    lose(cluster, 'pg1');
    lose(cluster, 'pg3');
    cluster.host('pg2').ignoresReload = true;
    await comesTrue(cluster, () => /sync-names-not-in-effect/.test(cluster.log.join('\n')), 60_000);
    expect(told(cluster, /pg2 HOST promoted/)).toEqual([]);
  });

  // 1. Consul is wiped while pg1 is lost. 2. pg2 and pg3 remember who has the commits.
  test('goes by what the hosts remember when Consul has lost the key', async () => {
    const cluster = await settled();
    lose(cluster, 'pg1');
    cluster.consul.server.wipe();
    await comesTrue(cluster, () => cluster.writable().length > 0, 60_000);
    expect(cluster.sync()?.standbys).toContain('pg1');
  });

  // 1. As before, and the hosts have forgotten.
  test('does not happen when Consul has lost the key and no host remembers it', async () => {
    const cluster = await settled();
    lose(cluster, 'pg1');
    for (const name of ['pg2', 'pg3']) {
      cluster.kill(name);
      cluster.host(name).facts = { ...cluster.host(name).facts, sync: undefined };
    }
    cluster.consul.server.wipe();
    await cluster.start('pg2');
    await cluster.start('pg3');
    await cluster.run(60_000);
    expect(cluster.writable(), cluster.show()).toEqual([]);
    expect(cluster.agent('pg2').explain().why).toContain('this host does not know');
  });
});
