import { describe, expect, test } from 'vitest';
import { aWatchdog } from '../../harness/settings.ts';
import { FakeCluster } from './fake-cluster.ts';
import type { FakeHost } from './fake-host.ts';

const LEADS = { holder: 'pg1', id: 'L1', n: 5 };

/** A primary under its guardian, with a watchdog, and an agent that has adopted it. */
async function leading(
  mode: 'required' | 'automatic',
): Promise<{ readonly cluster: FakeCluster; readonly host: FakeHost }> {
  const cluster = new FakeCluster();
  cluster.record(LEADS, ['pg1']);
  cluster.setWatchdog('pg1', aWatchdog(mode));
  const host = cluster.primary('pg1', LEADS.id, LEADS.n);
  await cluster.start('pg1');
  await cluster.run(2000);
  return { cluster, host };
}

const said = (cluster: FakeCluster, text: string): readonly string[] =>
  cluster.log.filter((line) => line.includes(text));
const momentOf = (line: string | undefined): number => Number(line?.split(' ')[0]);

describe('a leader with a watchdog', () => {
  test('has it counting under an adopted lease, and pings it in time', async () => {
    const { cluster, host } = await leading('required');
    expect(host.device.counts, cluster.show()).toBe(true);
    expect(host.device.timeoutMillis).toBe(2000);
    await cluster.run(30_000);
    expect(host.device.resets, cluster.show()).toBe(0);
    expect(host.writable).toBe(true);
    expect(cluster.agent('pg1').status().watchdog).toEqual({ state: 'open', failed: false });
  });

  // Nobody is left who would fence: neither the agent nor the guardian runs any more.
  test('is reset before its lease ends when nothing on its host gets to run', async () => {
    const { cluster, host } = await leading('required');
    await cluster.run(777);
    cluster.kill('pg1');
    const end = host.armed?.deadline ?? 0;
    // It has not come to its fence yet, and pings no more: too little is left of the lease.
    await cluster.run(1500);
    host.guardianFrozen = true;
    await cluster.run(5000);
    const reset = momentOf(said(cluster, 'reset by the watchdog')[0]);
    expect(reset, cluster.show()).toBeLessThan(end);
    // Half of the fence budget before, and no sooner.
    expect(end - reset).toBeLessThan(320);
  });

  test('is fenced by its guardian, not reset, when only the agent has gone', async () => {
    const { cluster, host } = await leading('required');
    cluster.kill('pg1');
    await cluster.run(10_000);
    expect(said(cluster, 'primary ended (deadline)'), cluster.show()).toHaveLength(1);
    expect(host.device.resets).toBe(0);
    expect(host.device.counts).toBe(false);
  });

  test('is not reset after it was stopped', async () => {
    const { cluster, host } = await leading('required');
    const agent = cluster.agent('pg1');
    agent.shutdown();
    await cluster.run(10_000);
    expect(host.up, cluster.show()).toBe(false);
    expect(host.device.counts).toBe(false);
    expect(host.device.resets).toBe(0);
  });

  test('has none in maintenance mode, and one again before a deadline counts', async () => {
    const { cluster, host } = await leading('required');
    cluster.setPause(true);
    await cluster.run(3000);
    expect(host.armed?.paused, cluster.show()).toBe(true);
    expect(host.device.counts).toBe(false);
    cluster.setPause(false);
    await cluster.until(() => host.armed?.paused !== true, 5000);
    expect(host.device.counts, cluster.show()).toBe(true);
    await cluster.run(10_000);
    expect(host.device.resets).toBe(0);
    expect(host.writable).toBe(true);
  });

  test.each([
    ['longer', 6000, 2000],
    ['shorter', 2500, 1000],
  ])('goes on when ttl becomes %s', async (_, ttlMillis, timeoutMillis) => {
    const { cluster, host } = await leading('required');
    cluster.setTtl('pg1', ttlMillis);
    await cluster.run(10_000);
    expect(host.writable, cluster.show()).toBe(true);
    expect(said(cluster, 'primary ended')).toEqual([]);
    expect(host.device.timeoutMillis).toBe(timeoutMillis);
    expect(host.device.counts).toBe(true);
    expect(host.device.resets).toBe(0);
  });

  test('that is not required goes on when it fails, and says so once', async () => {
    const { cluster, host } = await leading('automatic');
    host.device.trouble = 'refuses pings';
    await cluster.run(2000);
    // What the kernel does with a device that is closed without a word.
    host.device.powerOff();
    host.device.trouble = 'missing';
    await cluster.run(20_000);
    expect(host.writable, cluster.show()).toBe(true);
    expect(cluster.agent('pg1').status().watchdog).toEqual({ state: 'unusable', failed: false });
    expect(cluster.agent('pg1').explain().why).toContain('without its watchdog');
    host.device.trouble = undefined;
    await cluster.run(15_000);
    expect(host.device.counts, cluster.show()).toBe(true);
  });

  test('that is required is fenced and gives the lease away when it fails', async () => {
    const { cluster, host } = await leading('required');
    cluster.host('pg2');
    host.device.trouble = 'refuses pings';
    const fenced = await cluster.until(() => !host.writable, 2000);
    expect(fenced, cluster.show()).toBe(true);
    expect(said(cluster, 'primary ended (fenced)')).toHaveLength(1);
    await cluster.run(500);
    const lease = cluster.consul.server.list('service/demo/').record.lease;
    expect(lease, cluster.show()).toMatchObject({
      value: { released: { exclude: ['pg1'] } },
    });
    await cluster.run(10_000);
    expect(host.writable, cluster.show()).toBe(false);
  });
});

describe('a member without the watchdog that it has to have', () => {
  test('does not lead, says why, and does as soon as it has one', async () => {
    const cluster = new FakeCluster();
    cluster.record({ holder: 'pg1', id: 'L1', n: 5 }, ['pg1', 'pg2']);
    cluster.setWatchdog('pg2', aWatchdog('required'));
    const host = cluster.host('pg2');
    host.device.trouble = 'missing';
    await cluster.start('pg2');
    await cluster.run(15_000);
    expect(host.writable, cluster.show()).toBe(false);
    expect(cluster.generation()?.holder).toBe('pg1');
    const agent = cluster.agent('pg2');
    expect(agent.peerReport().canTakeOver).toEqual({
      able: false,
      why: 'its watchdog is required and unusable: /dev/watchdog does not exist',
    });
    expect(agent.status().watchdog).toEqual({ state: 'unusable', failed: true });
    expect(agent.explain().why).toContain('/dev/watchdog does not exist');
    host.device.trouble = undefined;
    expect(await cluster.until(() => host.writable, 25_000), cluster.show()).toBe(true);
    expect(host.device.counts).toBe(true);
  });

  test('is not promoted under a lease whose device the guardian cannot open', async () => {
    const cluster = new FakeCluster();
    cluster.record({ holder: 'pg1', id: 'L1', n: 5 }, ['pg1', 'pg2']);
    cluster.setWatchdog('pg2', aWatchdog('required'));
    const host = cluster.host('pg2');
    await cluster.start('pg2');
    await cluster.run(2000);
    expect(cluster.agent('pg2').status().watchdog.state).toBe('ready');
    // Another program is quicker than the guardian.
    host.device.trouble = 'held by another';
    await cluster.run(20_000);
    expect(cluster.generation()?.n, cluster.show()).toBeGreaterThan(5);
    expect(said(cluster, 'HOST promoted')).toEqual([]);
    expect(host.writable).toBe(false);
  });
});
