import { afterEach, expect, test } from 'vitest';
import { acknowledgesForMillis, BRAKE_NAMES } from '../../src/core/brake.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import { synchronousNames } from '../harness/cluster-synchronous.ts';

/** Long enough that a busy machine is not fenced while a test looks at what is held. */
const TTL_SECONDS = 15;
const HEARTBEAT_MILLIS = 500;

// Without promises, a Consul that stands still is all that it takes for nobody to hear the primary.
const get = useCluster({
  members: 2,
  dynamic: { ttl: TTL_SECONDS, failsafe_mode: false },
});
const load = useLoad(get);

afterEach(() => {
  consul('SIGCONT');
});

function consul(signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const server of get().consul.servers) server.process.signal(signal);
}

async function brakeOf(member: DemoMember): Promise<unknown> {
  const { body } = await member.rest('/patroni');
  return (body['pgbaton'] as Record<string, unknown> | undefined)?.['commit_brake'];
}

/** Consul stands still; answers when commits are held, and since when Consul has not answered. */
async function held(primary: DemoMember, how: string): Promise<number> {
  const stoppedAt = performance.now();
  consul('SIGSTOP');
  await eventually(`commits ${how}`, async () => (await brakeOf(primary)) === how);
  return stoppedAt;
}

async function expectToGoOn(primary: DemoMember, n: number): Promise<void> {
  await load().whenServing(primary);
  await eventually('the brake off', async () => (await brakeOf(primary)) === 'off');
  expect(await synchronousNames(primary)).toBe('');
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(n);
  expect(await load().lost(primary)).toEqual([]);
}

test('commits wait while nobody hears the primary, reads go on, and the next heartbeat acknowledges them', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  await held(primary, 'held');
  const { writes } = load().writerOf(primary);
  const acknowledged = writes.length;
  expect(await synchronousNames(primary)).toBe(BRAKE_NAMES);
  expect(await primary.sql('SELECT count(*) FROM pg_class')).toHaveLength(1);
  // What was on its way when they began to wait may have been seen by its client since.
  expect(writes.length - acknowledged).toBeLessThanOrEqual(1);
  consul('SIGCONT');
  await expectToGoOn(primary, n);
});

test('an agent that is killed meanwhile leaves them waiting, and the next one acknowledges them', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  await held(primary, 'held');
  await primary.killAgent();
  expect(await synchronousNames(primary)).toBe(BRAKE_NAMES);
  primary.start();
  consul('SIGCONT');
  await expectToGoOn(primary, n);
});

test('where the checkpointer does not look, Postgres stands still until the next heartbeat', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  const [checkpointer] = await primary.sql(
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
  );
  process.kill(Number(checkpointer?.['pid']), 'SIGSTOP');
  await held(primary, 'frozen');
  consul('SIGCONT');
  await expectToGoOn(primary, n);
});

test('what a primary acknowledges that nobody hears is bounded by its heartbeat, not by its lease', async () => {
  const primary = await get().settle();
  const stoppedAt = await held(primary, 'held');
  const lastWrite = (): number => load().writesSince(stoppedAt).at(-1)?.atMillis ?? stoppedAt;
  await eventually(
    'the fence',
    async () => !(await primary.answers('/primary')),
    BOUNDS.takeoverMillis,
  );
  expect(lastWrite() - stoppedAt).toBeLessThan(
    acknowledgesForMillis(HEARTBEAT_MILLIS) + BOUNDS.schedulingMillis,
  );
  consul('SIGCONT');
  const next = await get().settle();
  await load().whenServing(next);
  expect(await synchronousNames(next)).toBe('');
  expect(load().twoPrimaries).toEqual([]);
});
