import { statfsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { jobsSince, logMark, logSince } from '../harness/cluster-log.ts';
import { emptyDisk, fillDisk } from '../harness/small-disk.ts';

/** Enough for the data, some segments of log, and the files of a rewind. */
const DISK_MEGABYTES = 512;

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a primary whose disk is full', () => {
  const get = useCluster({
    members: 3,
    diskMegabytes: DISK_MEGABYTES,
    dynamic: {
      synchronous_mode: true,
      postgresql: { parameters: { max_wal_size: '64MB' } },
    },
  });
  const load = useLoad(get);

  const freeBytes = ({ dataDir }: DemoMember): number => {
    const { bavail, bsize } = statfsSync(dataDir);
    return bavail * bsize;
  };

  /** Fills the disk and lets the next checkpoint find no room. Answers where the member's log was before. */
  async function panics(primary: DemoMember): Promise<number> {
    const mark = logMark(primary);
    fillDisk(primary.folder);
    expect(freeBytes(primary)).toBe(0);
    await expect(primary.sql('checkpoint')).rejects.toThrow();
    await eventually('the end of Postgres', () =>
      logSince(primary, mark).some(({ rule }) => rule === 'R310'),
    );
    return mark;
  }

  /** Another leads, and the former one is not started again and again. */
  async function isReplaced(former: DemoMember, mark: number): Promise<DemoMember> {
    const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, former);
    const released = logSince(former, mark).findIndex(
      ({ msg }) => msg === 'the lease was released',
    );
    expect(released).toBeGreaterThanOrEqual(0);
    const before = logSince(former, mark).slice(0, released);
    // It may have filled since it was last looked at: then one start finds out, and no second is tried.
    expect(before.filter(({ job }) => job === 'start').length).toBeLessThanOrEqual(1);
    await load().whenServing(next);
    return next;
  }

  test('hands over at once when Postgres panics, loses nothing, and comes back when there is room', async () => {
    const former = await get().settle();
    const begunAt = performance.now();
    const mark = await panics(former);
    const next = await isReplaced(former, mark);
    emptyDisk(former.folder);
    expect(await get().settle()).toBe(next);
    expect(jobsSince(former, mark)).toContain('start');
    expect(load().twoPrimaries).toEqual([]);
    expect(await load().lost(next, begunAt)).toEqual([]);
  });

  test('does so in asynchronous mode too', async () => {
    const former = await get().settle();
    await former.rest('/config', { method: 'PATCH', body: { synchronous_mode: false } });
    await eventually('commits that wait for nobody', async () => {
      const [row] = await former.sql(
        "select current_setting('synchronous_standby_names') as names",
      );
      return row?.['names'] === '';
    });
    const mark = await panics(former);
    const next = await isReplaced(former, mark);
    emptyDisk(former.folder);
    expect(await get().settle()).toBe(next);
    expect(load().twoPrimaries).toEqual([]);
  });
});
