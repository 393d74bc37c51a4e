import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import type { Ended } from '../harness/cluster-programs.ts';
import { pgbaton } from '../harness/cluster-programs.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

/** Longer than a lease, its wait and an election together. */
const NOBODY_COMES_MILLIS = 8000;

const get = useCluster({ members: 3 });

/** Asked of a member that runs, whichever that is. */
const cli = async (...args: string[]): Promise<Ended> => {
  const member = get().members.find(({ isRunning }) => isRunning);
  if (member === undefined) throw new Error('no member runs');
  return pgbaton(member, ...args);
};

const said = ({ stdout, stderr }: Ended): string => `${stdout}\n${stderr}`;

async function done(...args: string[]): Promise<string> {
  const ended = await cli(...args);
  expect(ended.code, said(ended)).toBe(0);
  return ended.stdout;
}

async function refused(says: RegExp, ...args: string[]): Promise<void> {
  const ended = await cli(...args);
  expect(ended.code, said(ended)).not.toBe(0);
  expect(said(ended)).toMatch(says);
}

const primaries = async (): Promise<readonly DemoMember[]> => {
  const answers = await Promise.all(
    get().members.map(async (member) => (await member.answers('/primary')) && member),
  );
  return answers.filter((member) => member !== false);
};

test('pause --wait is shown by everyone, and is refused a second time', async () => {
  await get().settle();
  expect(await done('pause', '--wait')).toContain('cluster management is paused');
  expect(await done('list')).toContain('Maintenance mode: on');
  await refused(/already paused/, 'pause');
});

test('a switchover in maintenance mode needs a name, and the former primary comes back', async () => {
  const primary = await get().settle();
  const [candidate] = get().others(primary);
  await refused(/candidate/i, 'switchover', '--force');
  await done('switchover', '--candidate', candidate.name, '--force');
  expect(await get().settle()).toBe(candidate);
  expect(await done('list')).toContain('Maintenance mode: on');
});

test('a lost primary is not replaced until a person says that it is down', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  await primary.kill();
  const begunAt = performance.now();
  await eventually(
    'the time in which somebody would have taken over',
    () => performance.now() - begunAt > NOBODY_COMES_MILLIS,
  );
  expect(await primaries()).toEqual([]);
  expect((await storedGeneration(get())).n).toBe(n);
  await refused(new RegExp(`lease of ${primary.name} is still paused`), 'resume');
  await done('resume', '--force');
  const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  expect(next).not.toBe(primary);
  expect(await get().settle(primary)).toBe(next);
  expect(await done('list')).not.toContain('Maintenance mode');
  await refused(/not paused/, 'resume');
});
