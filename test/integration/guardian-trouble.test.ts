import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { logMark, logSince } from '../harness/cluster-log.ts';

const TTL_MILLIS = 3_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

function guardianPid(member: DemoMember): number | undefined {
  return member.processes().find(({ argv }) => argv.some((word) => word.includes('guardian/main')))
    ?.pid;
}

/** The guardian and the postmaster of a member whose troubles have not begun. */
function partsOf(member: DemoMember): { readonly guardian: number; readonly postmaster: number } {
  const guardian = guardianPid(member);
  const postmaster = postmasterPid(member.dataDir);
  if (guardian === undefined || postmaster === undefined) throw new Error('no guardian runs');
  return { guardian, postmaster };
}

const fencedSince = (member: DemoMember, mark: number): unknown[] =>
  logSince(member, mark)
    .filter(({ msg }) => msg === 'Postgres was fenced')
    .map((line) => line['cause']);

/** One primary at a time, and in the end all of them stream, from other processes than before. */
async function expectRecovered(
  member: DemoMember,
  before: { readonly guardian: number; readonly postmaster: number },
  begunAt: number,
): Promise<void> {
  const primary = await get().settle();
  await load().whenServing(primary);
  await eventually('another guardian', () => {
    const now = guardianPid(member);
    return now !== undefined && now !== before.guardian;
  });
  expect(postmasterPid(member.dataDir)).not.toBe(before.postmaster);
  expect(load().twoPrimaries).toEqual([]);
  const writable = load().writableSequence(begunAt);
  expect(new Set(writable).size, writable.join(' ')).toBe(writable.length);
  expect(await load().lost(primary, begunAt)).toEqual([]);
}

test('a primary whose guardian is killed is down at once, and back below another', async () => {
  const primary = await get().settle();
  const before = partsOf(primary);
  const begunAt = performance.now();
  signalProcess(before.guardian, 'SIGKILL');
  await eventually('Postgres down', () => postmasterPid(primary.dataDir) !== before.postmaster);
  await expectRecovered(primary, before, begunAt);
});

test('a primary whose guardian is frozen is fenced within the lease, and back below another', async () => {
  const primary = await get().settle();
  const before = partsOf(primary);
  const mark = logMark(primary);
  const begunAt = performance.now();
  signalProcess(before.guardian, 'SIGSTOP');
  await eventually('Postgres down', () => postmasterPid(primary.dataDir) !== before.postmaster);
  const gone = performance.now() - begunAt;
  expect(gone).toBeLessThan(TTL_MILLIS + BOUNDS.schedulingMillis);
  await eventually('its agent', () => fencedSince(primary, mark).includes('guardian-silent'));
  await expectRecovered(primary, before, begunAt);
  // What would wake up is gone; its number may be somebody else's by now.
  expect(primary.processes().map(({ pid }) => pid)).not.toContain(before.guardian);
});

test('a guardian that wakes when Postgres has just been fenced does no harm', async () => {
  const primary = await get().settle();
  const before = partsOf(primary);
  const begunAt = performance.now();
  signalProcess(before.guardian, 'SIGSTOP');
  await eventually('Postgres down', () => postmasterPid(primary.dataDir) !== before.postmaster);
  signalProcess(before.guardian, 'SIGCONT');
  const now = await get().settle();
  await load().whenServing(now);
  expect(load().twoPrimaries).toEqual([]);
  expect(await load().lost(now, begunAt)).toEqual([]);
});

test('a guardian that stands still for a moment costs no connection', async () => {
  const primary = await get().settle();
  const before = partsOf(primary);
  const begunAt = performance.now();
  signalProcess(before.guardian, 'SIGSTOP');
  // Longer than an answer is waited for, and far from the end of the lease.
  await eventually('a moment', () => performance.now() - begunAt > 700);
  signalProcess(before.guardian, 'SIGCONT');
  await eventually('past its lease', () => performance.now() - begunAt > 2 * TTL_MILLIS);
  expect(partsOf(primary)).toEqual(before);
  expect(
    load()
      .writerOf(primary)
      .disconnections.filter(({ atMillis }) => atMillis > begunAt),
  ).toEqual([]);
});

test('a frozen guardian of a standby is found out before it is needed', async () => {
  const primary = await get().settle();
  const [standby] = get().others(primary);
  const before = partsOf(standby);
  const begunAt = performance.now();
  signalProcess(before.guardian, 'SIGSTOP');
  await eventually('Postgres down', () => postmasterPid(standby.dataDir) !== before.postmaster);
  await expectRecovered(standby, before, begunAt);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
});
