import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, jobsOfReturn, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { logMark, logSince } from '../harness/cluster-log.ts';
import { storedGeneration, storedKeys } from '../harness/cluster-store.ts';

/** The stop and the hand-over take a third of a second on an idle machine. */
const LONGEST_GAP_MILLIS = 3_000;
const STOP_MILLIS = 30_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

/** SIGTERM, and everything of the member has to end by itself. */
async function stopCleanly(member: DemoMember): Promise<void> {
  const mark = logMark(member);
  expect(await member.agent.stop(STOP_MILLIS), 'it ended by itself').toBe(true);
  expect(logSince(member, mark).at(-1)).toMatchObject({ msg: 'pgbaton stopped', how: 'left' });
  expect(postmasterPid(member.dataDir)).toBeUndefined();
}

test('a stopped primary hands over without loss and comes back as a standby with the data it has', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  await stopCleanly(primary);
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  expect(load().gapSince(begunAt)).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(await load().lost(winner)).toEqual([]);
  expect(load().writableSequence(begunAt)).toEqual([primary.name, winner.name]);
  expect(load().twoPrimaries).toEqual([]);
  expect((await storedKeys(get())).has(`members/${primary.name}`), 'its key is gone').toBe(false);
  const mark = logMark(primary);
  expect(await get().settle()).toBe(winner);
  expect(logSince(primary, mark).filter(({ msg }) => msg.startsWith('adopts the lease'))).toEqual(
    [],
  );
  expect(await jobsOfReturn(primary, mark), 'neither rewound nor cloned').toEqual([
    'diagnose',
    'start',
  ]);
  expect(await storedGeneration(get())).toMatchObject({ n: before.n + 1, holder: winner.name });
});

test('a stopped replica disturbs nobody', async () => {
  const primary = await get().settle();
  const before = await storedGeneration(get());
  const [replica] = get().others(primary);
  const begunAt = performance.now();
  await stopCleanly(replica);
  await load().whenServing(primary);
  const mark = logMark(replica);
  expect(await get().settle()).toBe(primary);
  expect(await jobsOfReturn(replica, mark)).toEqual(['diagnose', 'start']);
  expect(load().gapSince(begunAt)).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(
    load()
      .writerOf(primary)
      .disconnections.filter(({ atMillis }) => atMillis > begunAt),
  ).toEqual([]);
  expect((await storedGeneration(get())).n).toBe(before.n);
});

test('a primary that nobody can follow stops all the same, and leads again when it is started', async () => {
  const primary = await get().settle();
  for (const replica of get().others(primary)) await stopCleanly(replica);
  await load().whenServing(primary);
  await stopCleanly(primary);
  const begunAt = performance.now();
  primary.start();
  await load().whenServing(primary);
  expect(await load().lost(primary)).toEqual([]);
  expect(await get().settle()).toBe(primary);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
});

test('a replica that lacks the end of the log lets the leader that stopped come back first', async () => {
  const primary = await get().settle();
  const [replica, other] = get().others(primary);
  await stopCleanly(replica);
  await load().whenServing(primary);
  if (other !== undefined) await stopCleanly(other);
  await load().whenServing(primary);
  await stopCleanly(primary);
  replica.start();
  await eventually('the replica up', async () => replica.answers('/health'));
  primary.start();
  const next = await get().settle();
  await load().whenServing(next);
  expect(await load().lost(next)).toEqual([]);
  expect(next).toBe(primary);
});

test('all members stopped and started at once: the same cluster again, nothing lost', async () => {
  const primary = await get().settle();
  const begunAt = performance.now();
  await load().whenServing(primary);
  await Promise.all(get().members.map(stopCleanly));
  const again = await get().settle();
  await load().whenServing(again);
  expect(await load().lost(again, begunAt)).toEqual([]);
  expect(load().twoPrimaries).toEqual([]);
});
