import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { pgbaton } from '../harness/cluster-programs.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import { explanationOf, storedSync, whenSynchronous } from '../harness/cluster-synchronous.ts';

const get = useCluster({ members: 3, dynamic: { synchronous_mode: true } });
const load = useLoad(get, async (cluster) => {
  const primary = await cluster.settle();
  await whenSynchronous(cluster, primary, { standbys: 1 });
  return primary;
});

/** Takes both standbys away, lets the leader acknowledge alone, and cuts its power. */
async function loseTheOnlyCopy(): Promise<DemoMember> {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, { standbys: 1 });
  const replicas = get().others(primary);
  for (const replica of replicas) await replica.kill();
  await whenSynchronous(get(), primary, { standbys: 0 });
  const aloneSince = performance.now();
  await load().whenServing(primary);
  expect(load().writesSince(aloneSince).length).toBeGreaterThan(0);
  await primary.kill();
  for (const replica of replicas) replica.start();
  return primary;
}

/** Both standbys run, know that nobody leads, and one says what an operator can do. */
async function whenStuck(former: DemoMember): Promise<string> {
  return eventually(
    'the explanation of a standby that may not lead',
    async () => {
      const texts = await Promise.all(get().others(former).map(explanationOf));
      const complete = texts.every((text) => text.includes(former.name));
      return complete && texts.find((text) => text.includes('pgbaton failover'));
    },
    BOUNDS.rejoinMillis,
  );
}

test('who acknowledged alone is not replaced, and leads again when it is back, with all it acknowledged', async () => {
  const before = await storedGeneration(get());
  const former = await loseTheOnlyCopy();
  console.log(`degraded: ${await whenStuck(former)}`);
  expect(await get().cluster.primaries()).toEqual([]);
  const { n, holder } = await storedGeneration(get());
  expect({ n, holder }).toEqual({ n: before.n, holder: former.name });
  const listed = await pgbaton(former, 'list');
  expect(listed.stdout).toContain('Synchronous replication: no standby.');
  former.start();
  expect(await get().cluster.waitForPrimary(BOUNDS.takeoverMillis)).toBe(former);
  await load().whenServing(former);
  expect(await load().lost(former)).toEqual([]);
  expect(await get().settle()).toBe(former);
});

test('an operator may force another one, who is told what may be lost', async () => {
  const former = await loseTheOnlyCopy();
  await whenStuck(former);
  const [candidate] = get().others(former);
  const forced = await pgbaton(candidate, 'failover', '--candidate', candidate.name, '--force');
  console.log(`forced: ${forced.stdout}${forced.stderr}`);
  expect(forced.code, forced.stderr).toBe(0);
  expect(forced.stderr).toContain('commits that were acknowledged may be lost');
  expect(await get().cluster.waitForPrimary(BOUNDS.takeoverMillis)).toBe(candidate);
  await load().whenServing(candidate);
  const lost = await load().lost(candidate);
  expect(lost.length, 'what was acknowledged alone is gone').toBeGreaterThan(0);
  expect(new Set(lost.map(({ member }) => member))).toEqual(new Set([former.name]));
  former.start();
  expect(await get().settle()).toBe(candidate);
  const sync = await whenSynchronous(get(), candidate, { standbys: 1 });
  expect(await storedSync(get())).toEqual(sync);
});
