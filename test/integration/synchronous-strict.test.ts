import { expect, test } from 'vitest';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import {
  storedSync,
  synchronousNames,
  waitingCommits,
  whenSynchronous,
} from '../harness/cluster-synchronous.ts';

/** Each attempt of the writer gives up after a second and leaves a backend that goes on waiting. */
const BACKENDS_SEEN_WAITING = 4;

const get = useCluster({
  members: 3,
  dynamic: { synchronous_mode: true, synchronous_mode_strict: true },
});
const load = useLoad(get, async (cluster) => {
  const primary = await cluster.settle();
  await whenSynchronous(cluster, primary, { standbys: 1 });
  return primary;
});

test('without a standby commits wait and none is acknowledged, until one is back', async () => {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, { standbys: 1 });
  const before = await storedGeneration(get());
  const replicas = get().others(primary);
  for (const replica of replicas) await replica.kill();
  const { writes } = load().writerOf(primary);
  const acknowledged = writes.length;
  await eventually('commits that wait', async () => {
    return (await waitingCommits(primary)) >= BACKENDS_SEEN_WAITING;
  });
  // What was on its way when the standbys died may have been answered by them before.
  expect(writes.length - acknowledged).toBeLessThanOrEqual(1);
  expect(await primary.answers('/primary'), 'it serves reads and holds the lease').toBe(true);
  expect(await synchronousNames(primary)).not.toBe('');

  const [first, second] = replicas;
  first.start();
  await load().whenServing(primary);
  await eventually('no commit that waits', async () => {
    return (await waitingCommits(primary)) < BACKENDS_SEEN_WAITING;
  });
  expect((await whenSynchronous(get(), primary, { standbys: 1 })).standbys).toEqual([first.name]);
  second?.start();
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
  expect(await load().lost(primary)).toEqual([]);
});

test('a primary that is lost while commits wait is replaced without loss, once the last standby it had is back', async () => {
  const primary = await get().settle();
  const replicas = get().others(primary);
  await whenSynchronous(get(), primary, { standbys: 1 });
  for (const replica of replicas) await replica.kill();
  await eventually('commits that wait', async () => (await waitingCommits(primary)) > 0);
  await primary.kill();
  const { standbys } = (await storedSync(get())) ?? { standbys: [] };
  expect(standbys, 'the key still names who has everything').toHaveLength(1);
  for (const replica of replicas) replica.start();
  // That one, or another one that has its word that it has no more of the log.
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  primary.start();
  await load().whenServing(winner);
  expect(await load().lost(winner)).toEqual([]);
  expect(await get().settle()).toBe(winner);
});
