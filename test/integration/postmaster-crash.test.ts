import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

/** In place it takes a third of a second; a busy machine gets more. */
const LONGEST_GAP_MILLIS = 5_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

/** Nobody else may have led meanwhile, and every write that was acknowledged is there. */
async function expectInPlace(primary: DemoMember, begunAt: number): Promise<void> {
  expect(load().gapSince(begunAt)).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
  expect(load().primarySequence(begunAt)).toEqual([primary.name]);
  expect(await load().lost(primary)).toEqual([]);
}

test('a killed postmaster is started again in place: same leader, nothing lost, replicas stream on', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  const pid = primary.killPostmaster();
  await load().whenServing(primary);
  expect(await get().settle()).toBe(primary);
  expect(postmasterPid(primary.dataDir)).not.toBe(pid);
  expect((await storedGeneration(get())).n).toBe(before.n);
  await expectInPlace(primary, begunAt);
});

test('a killed backend ends the whole server, which is started again under its lease', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  const [row] = await primary.sql(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by backend_start limit 1",
  );
  process.kill(Number(row?.['pid']), 'SIGKILL');
  await eventually('the crash', () =>
    load()
      .writerOf(primary)
      .disconnections.some(({ atMillis }) => atMillis > begunAt),
  );
  await load().whenServing(primary);
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
  await expectInPlace(primary, begunAt);
});

test('a killed postmaster of a replica comes back and streams; the primary does not notice', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const [replica] = get().others(primary);
  const begunAt = performance.now();
  const pid = replica.killPostmaster();
  await eventually('another postmaster', () => {
    const now = postmasterPid(replica.dataDir);
    return now !== undefined && now !== pid;
  });
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
  expect(
    load()
      .writerOf(primary)
      .disconnections.filter(({ atMillis }) => atMillis > begunAt),
  ).toEqual([]);
  await expectInPlace(primary, begunAt);
});

test('a frozen Postgres is no primary to a load balancer, although its agent holds the lease', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  const frozen = primary.processes().filter(({ argv }) => argv[0]?.includes('postgres') === true);
  expect(frozen.length).toBeGreaterThan(3);
  for (const { pid } of frozen) signalProcess(pid, 'SIGSTOP');
  try {
    await eventually('/primary saying no', async () => !(await primary.answers('/primary')));
    expect(await primary.answers('/liveness')).toBe(true);
  } finally {
    for (const { pid } of frozen) signalProcess(pid, 'SIGCONT');
  }
  await load().whenServing(primary);
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(before.n);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
});

test('with primary_start_timeout 0 the lease goes to another member at once', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const patched = await primary.rest('/config', {
    method: 'PATCH',
    body: { primary_start_timeout: 0 },
  });
  expect(patched.status).toBe(200);
  const begunAt = performance.now();
  primary.killPostmaster();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  expect(load().gapSince(begunAt)).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(await get().settle()).toBe(winner);
  expect(await storedGeneration(get())).toMatchObject({ n: before.n + 1, holder: winner.name });
  expect(load().writableSequence(begunAt).at(-1)).toBe(winner.name);
  expect(load().twoPrimaries).toEqual([]);
});
