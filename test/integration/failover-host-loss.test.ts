import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, useCluster } from '../harness/cluster.ts';
import type { TestCluster } from '../harness/cluster.ts';
import { ClusterLoad } from '../harness/cluster-load.ts';

const KILLS = 10;
/** Lease of 3 s, and what a busy machine needs to elect and promote. */
const LONGEST_GAP_MILLIS = 8_000;
/** A row of the writers and its commit are longer than this in the log. */
const LEAST_BYTES_OF_A_WRITE = 100;

const get = useCluster({ members: 3 });
let load: ClusterLoad;

beforeAll(async () => {
  const test = get();
  load = await ClusterLoad.start(test, await test.cluster.waitForPrimary(BOUNDS.takeoverMillis));
});
afterAll(async () => {
  await load?.stop();
});

interface Kill {
  readonly from: string;
  readonly to: string;
  /** Bytes that the most advanced standby had not flushed when it was last asked. */
  readonly lagBytes: number;
  /** When that was asked: what was acknowledged before is either within the lag or on a standby. */
  readonly measuredAt: number;
  readonly gapMillis: number;
}

/** Cuts the power of the primary, waits for the next one, and brings the lost host back. */
async function killPrimary(test: TestCluster): Promise<Kill> {
  const primary = await test.settle();
  await load.whenWritten(primary);
  const measuredAt = performance.now();
  const lagBytes = await test.cluster.replicationLagBytes(primary);
  await primary.kill();
  expect(primary.processes(), 'processes of a killed host').toEqual([]);
  const winner = await test.cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load.whenWritten(winner);
  const gapMillis = load.gapSince(measuredAt);
  primary.start();
  return {
    from: primary.name,
    to: winner.name,
    lagBytes: lagBytes ?? Number.NaN,
    measuredAt,
    gapMillis,
  };
}

test('ten hosts lost in a row under load: one primary at a time, and nothing lost beyond the lag', async () => {
  const test = get();
  const begunAt = performance.now();
  const kills: Kill[] = [];
  for (let count = 0; count < KILLS; count += 1) kills.push(await killPrimary(test));
  const last: DemoMember = await test.settle();
  await load.stop();
  const story = JSON.stringify(kills, undefined, 1);

  const leaders = [kills[0]?.from, ...kills.map(({ to }) => to)];
  expect(load.writableSequence(begunAt), `who took writes, ${story}`).toEqual(leaders);
  expect(load.primarySequence(begunAt), `who answered /primary, ${story}`).toEqual(leaders);
  expect(load.twoPrimaries).toEqual([]);

  const lost = await load.lost(last);
  for (const kill of kills) {
    const ofKill = lost.filter(({ member }) => member === kill.from);
    const inLag = ofKill.filter(
      ({ atMillis }) => atMillis < kill.measuredAt && previousKill(kills, kill) < atMillis,
    );
    const most = Math.ceil(kill.lagBytes / LEAST_BYTES_OF_A_WRITE);
    expect(inLag.length, `lost beyond the lag: ${JSON.stringify(kill)}`).toBeLessThanOrEqual(most);
    expect(kill.gapMillis, story).toBeLessThan(LONGEST_GAP_MILLIS);
  }
  const written = load.writesSince(begunAt).length;
  console.log(
    `${KILLS} kills: ${written} writes acknowledged, ${lost.length} lost; gaps ${kills.map(({ gapMillis }) => Math.round(gapMillis)).join(' ')} ms`,
  );
});

const previousKill = (kills: readonly Kill[], kill: Kill): number =>
  kills[kills.indexOf(kill) - 1]?.measuredAt ?? -Infinity;
