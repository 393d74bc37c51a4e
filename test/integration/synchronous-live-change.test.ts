import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DemoMember } from '../../src/demo/member.ts';
import { eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import {
  configure,
  storedSync,
  synchronousNames,
  whenSynchronous,
} from '../harness/cluster-synchronous.ts';

/** A change of the mode is some writes to Consul and reloads of Postgres: no commit may wait long. */
const LONGEST_WAIT_MILLIS = 2_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

/** The key and the names change one after the other: the second a moment later. */
async function whenNames(primary: DemoMember, expected: RegExp): Promise<void> {
  await eventually(`names like ${expected.source}`, async () =>
    expected.test(await synchronousNames(primary)),
  );
}

test('off, on, quorum and off again under load: nothing lost, and all is as it was', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  expect(await storedSync(get())).toBeUndefined();
  expect(await synchronousNames(primary)).toBe('');

  await configure(primary, { synchronous_mode: 'on' });
  const [chosen] = (await whenSynchronous(get(), primary, { standbys: 1 })).standbys;
  await whenNames(primary, new RegExp(`^"${chosen}"$`));

  await configure(primary, { synchronous_node_count: 2 });
  await whenSynchronous(get(), primary, { standbys: 2 });
  await whenNames(primary, /^2 \("pg\d","pg\d"\)$/);

  await configure(primary, { synchronous_mode: 'quorum', synchronous_node_count: null });
  await whenSynchronous(get(), primary, { standbys: 2, quorum: 1 });
  await whenNames(primary, /^ANY 1 \("pg\d","pg\d"\)$/);

  await configure(primary, { synchronous_mode: null });
  await eventually('nothing promised', async () => (await storedSync(get())) === undefined);
  for (const member of get().members) {
    await eventually(`no names on ${member.name}`, async () => {
      return (await synchronousNames(member)) === '';
    });
  }
  await load().whenServing(primary);
  const gap = load().gapSince(begunAt);
  console.log(`mode changed four times: longest wait of a write ${Math.round(gap)} ms`);
  expect(gap).toBeLessThan(LONGEST_WAIT_MILLIS);
  expect((await storedGeneration(get())).n).toBe(before.n);
  expect(await load().lost(primary)).toEqual([]);
});

test("the operator's own list holds while the mode is off, and again when it was on in between", async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const own = `"${replica.name}"`;
  const everywhere = async (names: string): Promise<void> => {
    await eventually(`${names} in effect`, async () => {
      return (await synchronousNames(primary)) === names;
    });
  };
  await configure(primary, { postgresql: { parameters: { synchronous_standby_names: own } } });
  await everywhere(own);
  expect(await storedSync(get())).toBeUndefined();
  await configure(primary, { synchronous_mode: 'quorum' });
  await whenSynchronous(get(), primary, { standbys: 2, quorum: 1 });
  await whenNames(primary, /^ANY 1 /);
  await configure(primary, { synchronous_mode: 'off' });
  await everywhere(own);
  expect(await storedSync(get())).toBeUndefined();
  await configure(primary, { postgresql: { parameters: { synchronous_standby_names: null } } });
  await everywhere('');
  expect(await load().lost(primary)).toEqual([]);
});

test('a member tagged nosync is passed over, and another one is chosen when the tag comes', async () => {
  const primary = await get().settle();
  await configure(primary, { synchronous_mode: 'on' });
  const [name] = (await whenSynchronous(get(), primary, { standbys: 1 })).standbys;
  const chosen = get().cluster.member(name ?? 'none');
  const original = readFileSync(chosen.configFile, 'utf8');
  const tagged = { ...(parse(original) as object), tags: { nosync: true } };
  writeFileSync(chosen.configFile, stringify(tagged));
  expect((await chosen.rest('/reload', { method: 'POST', body: {} })).status).toBe(202);
  await eventually('another one', async () => {
    const sync = await storedSync(get());
    return sync?.standbys.length === 1 && !sync.standbys.includes(chosen.name);
  });
  await load().whenServing(primary);
  writeFileSync(chosen.configFile, original);
  expect((await chosen.rest('/reload', { method: 'POST', body: {} })).status).toBe(202);
  await configure(primary, { synchronous_mode: null });
  await eventually('nothing promised', async () => (await storedSync(get())) === undefined);
  expect(await load().lost(primary)).toEqual([]);
});
