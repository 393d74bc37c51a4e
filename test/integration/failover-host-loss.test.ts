import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, useCluster } from '../harness/cluster.ts';
import type { TestCluster } from '../harness/cluster.ts';
import { ClusterLoad, useLoad } from '../harness/cluster-load.ts';
import type { Write } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

const KILLS = 10;
/** Lease of 3 s, and what a busy machine needs to elect and promote. */
const LONGEST_GAP_MILLIS = 8_000;
/** A row of the writers and its commit are longer than this in the log. */
const LEAST_BYTES_OF_A_WRITE = 100;

const get = useCluster({ members: 3 });
const load = useLoad(get);

interface Kill {
  readonly from: string;
  readonly to: string;
  /** Bytes that the most advanced standby had not flushed when it was last asked. */
  readonly lagBytes: number;
  /** When that was asked: what was acknowledged before is either within the lag or on a standby. */
  readonly measuredAt: number;
  readonly ledSince: number;
  readonly killedAt: number;
  readonly gapMillis: number;
}

/** Cuts the power of the primary, waits for the next one, and brings the lost host back. */
async function killPrimary(test: TestCluster, ledSince: number): Promise<Kill> {
  const primary = await test.settle();
  await load().whenServing(primary);
  const measuredAt = performance.now();
  const lagBytes = await test.cluster.replicationLagBytes(primary);
  await primary.kill();
  const killedAt = performance.now();
  expect(primary.processes(), 'processes of a killed host').toEqual([]);
  const winner = await test.cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  const gapMillis = load().gapSince(measuredAt);
  primary.start();
  return {
    from: primary.name,
    to: winner.name,
    lagBytes: lagBytes ?? Number.NaN,
    measuredAt,
    ledSince,
    killedAt,
    gapMillis,
  };
}

test('ten hosts lost in a row under load: one primary at a time, and nothing lost beyond the lag', async () => {
  const test = get();
  const begunAt = performance.now();
  const kills: Kill[] = [];
  while (kills.length < KILLS) {
    kills.push(await killPrimary(test, kills.at(-1)?.killedAt ?? 0));
  }
  const last: DemoMember = await test.settle();
  await load().stop();
  const story = JSON.stringify(kills, undefined, 1);

  const leaders = [kills[0]?.from, ...kills.map(({ to }) => to)];
  expect(load().writableSequence(begunAt), `who took writes, ${story}`).toEqual(leaders);
  expect(load().primarySequence(begunAt), `who answered /primary, ${story}`).toEqual(leaders);
  expect(load().twoPrimaries).toEqual([]);

  const lost = await load().lost(last);
  for (const kill of kills) {
    const known = lost.filter((write) => isOf(kill, write) && write.atMillis < kill.measuredAt);
    const most = Math.ceil(kill.lagBytes / LEAST_BYTES_OF_A_WRITE);
    expect(known.length, `lost beyond the lag: ${JSON.stringify(kill)}`).toBeLessThanOrEqual(most);
    expect(kill.gapMillis, story).toBeLessThan(LONGEST_GAP_MILLIS);
  }
  expect(lost.filter((write) => !kills.some((kill) => isOf(kill, write)))).toEqual([]);
  const written = load().writesSince(begunAt).length;
  console.log(
    `${KILLS} kills: ${written} writes acknowledged, ${lost.length} lost; gaps ${kills.map(({ gapMillis }) => Math.round(gapMillis)).join(' ')} ms`,
  );
});

test('a lost replica host disturbs nobody, and streams again once it is back', async () => {
  const test = get();
  const primary = await test.settle();
  const again = await ClusterLoad.start(test, primary);
  const before = await storedGeneration(test);
  const [replica] = test.others(primary);
  const begunAt = performance.now();
  await replica.kill();
  await again.whenServing(primary);
  expect(await test.settle()).toBe(primary);
  await again.stop();
  expect((await storedGeneration(test)).n).toBe(before.n);
  expect(again.writableSequence(begunAt)).toEqual([primary.name]);
  expect(again.writerOf(primary).disconnections).toEqual([]);
});

/** Acknowledged by the host that was killed, in the time that it led before. */
const isOf = (kill: Kill, { member, atMillis }: Write): boolean =>
  member === kill.from && atMillis >= kill.ledSince && atMillis <= kill.killedAt;
