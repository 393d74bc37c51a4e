import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import {
  destroySession,
  storedGeneration,
  storedKey,
  storedKeys,
  wipeStore,
} from '../harness/cluster-store.ts';

const TTL_MILLIS = 3_000;
/** How far promises of most carry a lease. */
const REACH_MILLIS = 15_000;
const OUTAGE_MILLIS = 15_000;
const IN_FLIGHT_MILLIS = 100;

const get = useCluster({ members: 3, consulServers: 3 });
const load = useLoad(get);

interface Before {
  readonly primary: DemoMember;
  readonly n: number;
  readonly at: number;
}

async function quiet(): Promise<Before> {
  const primary = await get().settle();
  return { primary, n: (await storedGeneration(get())).n, at: performance.now() };
}

/** Same leader under the same generation, no connection broken, no pause, nothing lost. */
async function expectNothingHappened({ primary, n, at }: Before): Promise<void> {
  await load().whenServing(primary);
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(n);
  expect(load().writableSequence(at)).toEqual([primary.name]);
  expect(load().primarySequence(at)).toEqual([primary.name]);
  // Nothing happens to the clients: what is seen is the machine.
  expect(load().gapSince(at)).toBeLessThan(BOUNDS.schedulingMillis);
  const broken = load()
    .writerOf(primary)
    .disconnections.filter(({ atMillis }) => atMillis > at);
  expect(broken).toEqual([]);
  expect(await load().lost(primary)).toEqual([]);
}

const stopConsul = async (): Promise<void> => {
  await Promise.all(get().consul.servers.map(async (server) => server.kill()));
};

async function startConsul(): Promise<void> {
  const { consul } = get();
  for (const server of consul.servers) server.start();
  for (const server of consul.servers) await consul.whenReady(server);
}

test('a destroyed session changes nothing: the leader locks its key again with a new one', async () => {
  const before = await quiet();
  const { session } = await storedKey(get(), 'leader');
  expect(session).toBeTypeOf('string');
  await destroySession(get(), session ?? '');
  await eventually('the key locked again', async () => {
    const leader = (await storedKeys(get())).get('leader');
    return (
      leader?.text === before.primary.name &&
      leader.session !== undefined &&
      leader.session !== session
    );
  });
  await expectNothingHappened(before);
});

test('a lost Consul leader changes nothing', async () => {
  const before = await quiet();
  const { consul } = get();
  const lost = await consul.leader();
  await lost.kill();
  const next = await consul.leader();
  expect(next).not.toBe(lost);
  const { modifyIndex } = await storedKey(get(), 'lease');
  await eventually('the next heartbeats', async () => {
    return (await storedKey(get(), 'lease')).modifyIndex > modifyIndex + 2;
  });
  lost.start();
  await consul.whenReady(lost);
  await expectNothingHappened(before);
});

test('all of Consul away for 15 s changes nothing while the members see each other', async () => {
  const before = await quiet();
  await stopConsul();
  const goneAt = performance.now();
  await eventually(
    'the outage long enough',
    async () => {
      expect(await before.primary.answers('/primary')).toBe(true);
      return performance.now() - goneAt > OUTAGE_MILLIS;
    },
    2 * OUTAGE_MILLIS,
  );
  const status = await before.primary.rest('/patroni');
  expect(status.body).toMatchObject({ role: 'primary', failsafe_mode_is_active: true });
  await startConsul();
  await eventually('heartbeats again', async () => {
    const { body } = await before.primary.rest('/patroni');
    return body['failsafe_mode_is_active'] !== true;
  });
  await expectNothingHappened(before);
});

test('Consul away and a member that does not answer: commits wait, and the leader is fenced by the end of its reach', async () => {
  const { primary, at } = await quiet();
  const [silent] = get().others(primary);
  silent.agent.signal('SIGSTOP');
  await stopConsul();
  const goneAt = performance.now();
  await eventually('the fence', async () => !(await primary.answers('/primary')));
  expect(performance.now() - goneAt).toBeLessThan(REACH_MILLIS + BOUNDS.schedulingMillis);
  const lastWrite = (): number => load().writesSince(goneAt).at(-1)?.atMillis ?? goneAt;
  await eventually(
    'no server writable for as long as a lease',
    () => performance.now() - lastWrite() > TTL_MILLIS,
  );
  const end = lastWrite();
  expect(end - goneAt).toBeLessThan(TTL_MILLIS + BOUNDS.schedulingMillis);
  silent.agent.signal('SIGCONT');
  await startConsul();
  const next = await get().settle();
  await load().whenServing(next);
  // A fence kills: what was acknowledged in its very last moments may not have left the host.
  const lost = (await load().lost(next)).filter(
    ({ atMillis }) => atMillis < end - IN_FLIGHT_MILLIS,
  );
  expect(lost).toEqual([]);
  expect(load().writableSequence(at).length).toBeLessThanOrEqual(2);
  expect(load().twoPrimaries).toEqual([]);
});

test('keys wiped under a leader are written back by it: no failover, no data lost', async () => {
  const before = await quiet();
  const kept = await storedKeys(get());
  await wipeStore(get());
  await eventually('the keys back', async () => {
    const keys = await storedKeys(get());
    return [
      'initialize',
      'config',
      'leader',
      'lease',
      'generation',
      'failsafe',
      'members/pg1',
      'members/pg2',
      'members/pg3',
    ].every((key) => keys.has(key));
  });
  const keys = await storedKeys(get());
  expect(keys.get('initialize')?.text).toBe(kept.get('initialize')?.text);
  expect(JSON.parse(keys.get('config')?.text ?? '')).toEqual(
    JSON.parse(kept.get('config')?.text ?? ''),
  );
  expect(keys.get('leader')?.text).toBe(before.primary.name);
  await expectNothingHappened(before);
  expect(
    await before.primary.rest('/primary', { timeoutMillis: BOUNDS.conditionMillis }),
  ).toMatchObject({ status: 200 });
});
