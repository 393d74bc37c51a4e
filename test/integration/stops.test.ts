import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

/** wal_sender_timeout is a minute: a stop that waits for it is far beyond this. */
const LONGEST_GAP_MILLIS = 12_000;

const hookOf = (folder: string): string => join(folder, 'before-stop');
const victimsOf = (folder: string): string => join(folder, 'victims');

const get = useCluster(
  {
    members: 3,
    local: (_member, folder) => ({ postgresql: { before_stop: hookOf(folder) } }),
  },
  async (cluster) => {
    for (const { folder } of cluster.members) {
      const victims = victimsOf(folder);
      writeFileSync(
        hookOf(folder),
        `#!/bin/sh\n[ -f ${victims} ] && kill -STOP $(cat ${victims})\ntrue\n`,
      );
      chmodSync(hookOf(folder), 0o755);
    }
    await cluster.settle();
  },
);
const load = useLoad(get);

/** The host stands still: agent, guardian and Postgres. Answers how to let it go on. */
function freeze(member: DemoMember): () => void {
  const frozen = member.processes();
  for (const { pid } of frozen) signalProcess(pid, 'SIGSTOP');
  return () => {
    for (const { pid } of frozen) signalProcess(pid, 'SIGCONT');
  };
}

async function expectHandedOver(to: DemoMember, begunAt: number): Promise<void> {
  await load().whenServing(to);
  expect(load().gapSince(begunAt)).toBeLessThan(LONGEST_GAP_MILLIS);
  expect(await load().lost(to)).toEqual([]);
  expect(load().twoPrimaries).toEqual([]);
  expect((await storedGeneration(get())).holder).toBe(to.name);
}

const switchover = async (from: DemoMember, to: DemoMember) =>
  from.rest('/switchover', {
    method: 'POST',
    body: { leader: from.name, candidate: to.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });

test('a switchover does not wait for another standby that stands still', async () => {
  const primary = await get().settle();
  const [candidate, other = candidate] = get().others(primary);
  const thaw = freeze(other);
  try {
    const begunAt = performance.now();
    const answer = await switchover(primary, candidate);
    expect(answer.status, answer.text).toBe(200);
    await expectHandedOver(candidate, begunAt);
  } finally {
    thaw();
  }
  await get().settle();
});

test('when the candidate stands still once writes have been stopped, the other standby leads', async () => {
  const primary = await get().settle();
  const [candidate, other = candidate] = get().others(primary);
  const victims = candidate.processes().map(({ pid }) => pid);
  writeFileSync(victimsOf(primary.folder), victims.join(' '));
  try {
    const begunAt = performance.now();
    const answer = await switchover(primary, candidate);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toContain(`"${other.name}" instead of "${candidate.name}"`);
    await expectHandedOver(other, begunAt);
  } finally {
    rmSync(victimsOf(primary.folder));
    for (const pid of victims) signalProcess(pid, 'SIGCONT');
  }
  await get().settle();
});

test('an agent that is told to stop hands over past a standby that stands still', async () => {
  const primary = await get().settle();
  const [, other] = get().others(primary);
  const thaw = other === undefined ? () => undefined : freeze(other);
  try {
    const begunAt = performance.now();
    await primary.stop(BOUNDS.takeoverMillis);
    const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
    await expectHandedOver(next, begunAt);
  } finally {
    thaw();
  }
  await eventually('all of them', async () => (await get().settle()) !== undefined);
});
