import { expect, test } from 'vitest';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import {
  explanationOf,
  storedSync,
  synchronousNames,
  whenSynchronous,
} from '../harness/cluster-synchronous.ts';

const get = useCluster({ members: 3, dynamic: { synchronous_mode: 'quorum' } });

/** Any one of two acknowledges, so both have to answer before either is promoted. */
const BOTH = { standbys: 2, quorum: 1 };
const load = useLoad(get, async (cluster) => {
  const primary = await cluster.settle();
  await whenSynchronous(cluster, primary, BOTH);
  return primary;
});

test('both standbys are voters, and every endpoint says so', async () => {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, BOTH);
  await eventually('any one of both', async () =>
    /^ANY 1 \("pg\d","pg\d"\)$/.test(await synchronousNames(primary)),
  );
  const listed = await get().cluster.listMembers(primary);
  for (const standby of get().others(primary)) {
    expect(await standby.answers('/quorum')).toBe(true);
    expect(await standby.answers('/sync')).toBe(false);
    expect(await standby.answers('/async')).toBe(false);
    expect((await standby.rest('/patroni')).body['quorum_standby']).toBe(true);
    expect(listed.get(standby.name)?.role).toBe('quorum_standby');
  }
});

test('a lost primary is replaced by the voter with the newest log, and nothing is lost', async () => {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, BOTH);
  await load().whenServing(primary);
  const killedAt = performance.now();
  await primary.kill();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  console.log(`quorum, primary lost: gap ${Math.round(load().gapSince(killedAt))} ms`);
  expect(await load().lost(winner)).toEqual([]);
  primary.start();
  expect(await get().settle()).toBe(winner);
  await whenSynchronous(get(), winner, BOTH);
});

test('with too few voters nobody is promoted, explain says why, and a voter that returns ends it', async () => {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, BOTH);
  await load().whenServing(primary);
  const [lost, left] = get().others(primary);
  if (left === undefined) throw new Error('three members are expected');
  const before = await storedGeneration(get());
  // The primary first: it must not get to take the other one off the list.
  await primary.kill();
  await lost.kill();
  expect(await storedSync(get())).toMatchObject({ leader: primary.name, quorum: 1 });

  const said = await eventually(
    'the reason',
    async () => {
      const text = await explanationOf(left);
      return /synchronous commit is lost/.test(text) && text.includes(lost.name) && text;
    },
    BOUNDS.takeoverMillis,
  );
  console.log(`quorum, too few votes: ${said}`);
  expect(await left.answers('/primary')).toBe(false);
  expect((await storedGeneration(get())).n).toBe(before.n);

  lost.start();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  expect(await load().lost(winner)).toEqual([]);
  primary.start();
  expect(await get().settle()).toBe(winner);
  await whenSynchronous(get(), winner, BOTH);
});

test('a voter that is lost is taken off the list, and then the other may lead alone', async () => {
  const primary = await get().settle();
  await whenSynchronous(get(), primary, BOTH);
  const [lost, left] = get().others(primary);
  if (left === undefined) throw new Error('three members are expected');
  await lost.kill();
  expect(await whenSynchronous(get(), primary, { standbys: 1 })).toMatchObject({
    standbys: [left.name],
  });
  await load().whenServing(primary);
  await primary.kill();
  expect(await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary)).toBe(left);
  await load().whenServing(left);
  expect(await load().lost(left)).toEqual([]);
  primary.start();
  lost.start();
  expect(await get().settle()).toBe(left);
  await whenSynchronous(get(), left, BOTH);
});
