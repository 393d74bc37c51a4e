import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { ClusterLoad } from '../harness/cluster-load.ts';
import { pgbaton } from '../harness/cluster-programs.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

const get = useCluster({ members: 3 });
let load: ClusterLoad;

beforeAll(async () => {
  load = await ClusterLoad.start(get(), await get().settle());
});
afterAll(async () => {
  await load?.stop();
});

async function cli(member: DemoMember, ...args: string[]): Promise<void> {
  const ended = await pgbaton(member, ...args);
  expect(ended.code, `${ended.stdout}\n${ended.stderr}`).toBe(0);
}

function guardianPid(member: DemoMember): number {
  const found = member
    .processes()
    .find(({ argv }) => argv.some((word) => word.includes('guardian/main')));
  if (found === undefined) throw new Error('no guardian runs');
  return found.pid;
}

const isDown = (member: DemoMember): boolean => {
  const pid = postmasterPid(member.dataDir);
  return pid === undefined || member.processes().every((process) => process.pid !== pid);
};

/** In maintenance mode, and without the agent of the primary. */
async function pausedWithoutAgent(): Promise<DemoMember> {
  const primary = await get().settle();
  await cli(primary, 'pause', '--wait');
  await primary.killAgent();
  return primary;
}

/** Its agent is there again: nobody leads until the resume, which needs nobody's word for it. */
async function resumes(former: DemoMember, begunAt: number): Promise<void> {
  const { n } = await storedGeneration(get());
  former.start();
  await eventually('the agent', async () => (await former.rest('/explain')).status === 200);
  await eventually('what it waits for', async () =>
    (await former.rest('/explain')).text.includes('pgbaton resume'),
  );
  await cli(former, 'resume', '--wait');
  const primary = await get().settle();
  await load.whenServing(primary);
  expect((await storedGeneration(get())).n).toBeGreaterThan(n);
  expect(load.twoPrimaries).toEqual([]);
  expect(await load.lost(primary, begunAt)).toEqual([]);
}

test('Postgres ends in maintenance mode, without an agent: the next one knows', async () => {
  const begunAt = performance.now();
  const former = await pausedWithoutAgent();
  former.killPostmaster();
  await eventually('Postgres down', () => isDown(former));
  await resumes(former, begunAt);
});

// As when a service manager ends all processes of a unit.
test('the guardian is asked to end in maintenance mode: who comes next knows that Postgres was stopped', async () => {
  const begunAt = performance.now();
  const former = await pausedWithoutAgent();
  const guardian = guardianPid(former);
  signalProcess(guardian, 'SIGTERM');
  await eventually('the guardian gone', () =>
    former.processes().every(({ pid }) => pid !== guardian),
  );
  expect(isDown(former)).toBe(true);
  await resumes(former, begunAt);
});

test('who cannot start Postgres again after a pause lets another lead', async () => {
  const former = await pausedWithoutAgent();
  former.killPostmaster();
  await eventually('Postgres down', () => isDown(former));
  const taken = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    taken.listen(former.postgresPort, () => resolve());
  });
  try {
    const { n } = await storedGeneration(get());
    former.start();
    await cli(former, 'resume');
    const primary = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, former);
    expect(primary).not.toBe(former);
    expect((await storedGeneration(get())).n).toBe(n + 1);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
  await get().settle();
  expect(load.twoPrimaries).toEqual([]);
});
