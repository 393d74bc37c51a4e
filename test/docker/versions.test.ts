import { afterAll, describe, expect, inject, test } from 'vitest';
import { CREATE_WRITES, Writer } from '../../src/demo/writer.ts';
import { BOUNDS, ContainerCluster } from './container-cluster.ts';
import { buildMember } from './images.ts';

/** The oldest version that is supported, and the image's usual one: one failover each. */
const MAJORS = ['13', '17'];
const engine = inject('engine');
const said: string[] = [];

afterAll(() => {
  console.log(said.join('\n'));
});

describe.skipIf(engine === undefined)('a cluster in containers', () => {
  test.each(MAJORS)('of PostgreSQL %s fails over, and takes the lost one back', async (major) => {
    if (engine === undefined) return;
    const built = await buildMember(engine.host, major);
    expect(built.ok ? '' : built.error.message).toBe('');
    const cluster = await ContainerCluster.create(engine, major);
    let writer: Writer | undefined;
    try {
      await cluster.up(['pg1', 'pg2', 'pg3', 'haproxy']);
      await cluster.whenWritable();
      await cluster.query(CREATE_WRITES);
      const lost = await cluster.whenWhole();
      const [row] = await cluster.query('show server_version_num');
      expect(String(row?.['server_version_num']).slice(0, 2)).toBe(major);
      writer = new Writer({ name: 'client', targets: [await cluster.target('writes')] });
      writer.start();
      await writer.nextAcknowledgement(BOUNDS.takeoverMillis);
      const atMillis = performance.now();
      await (await cluster.container(lost)).kill();
      await writer.whenReconnected(atMillis, BOUNDS.takeoverMillis);
      const gapMillis = writer.log.longestGap(atMillis)?.lengthMillis ?? Number.NaN;
      await (await cluster.container(lost)).start();
      expect(await cluster.whenWhole()).not.toBe(lost);
      said.push(
        `PostgreSQL ${major}, docker kill: no write for ${(gapMillis / 1000).toFixed(2)} s`,
      );
    } catch (error) {
      console.error(await cluster.evidence());
      throw error;
    } finally {
      await writer?.stop();
      await cluster.close();
    }
  });
});
