import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { signalProcess } from '../../src/demo/processes.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { storedGeneration } from '../harness/cluster-store.ts';
import { storedSync, whenSynchronous } from '../harness/cluster-synchronous.ts';

const KILLS = 3;
/** Lease of 3 s, and what a busy machine needs to elect and promote. */
const LONGEST_GAP_MILLIS = 8_000;
/** A standby that vanished is seen by its connection: this is no lease. */
const LONGEST_REPLACEMENT_MILLIS = 3_000;
/** One that is connected and does not come on is given five seconds. */
const LONGEST_STALL_MILLIS = 12_000;

const get = useCluster({ members: 3, dynamic: { synchronous_mode: true } });
const load = useLoad(get, async (cluster) => {
  const primary = await cluster.settle();
  await whenSynchronous(cluster, primary, { standbys: 1 });
  return primary;
});

async function settled(): Promise<{ primary: DemoMember; standby: DemoMember; other: DemoMember }> {
  const primary = await get().settle();
  const { standbys } = await whenSynchronous(get(), primary, { standbys: 1 });
  const standby = get().cluster.member(standbys[0] ?? 'none');
  const [other] = get()
    .others(primary)
    .filter((member) => member !== standby);
  if (other === undefined) throw new Error('three members are expected');
  return { primary, standby, other };
}

test('the role is told by every endpoint', async () => {
  const { primary, standby, other } = await settled();
  expect(await standby.answers('/sync')).toBe(true);
  expect(await standby.answers('/read-only-sync')).toBe(true);
  expect(await standby.answers('/async')).toBe(false);
  expect(await other.answers('/sync')).toBe(false);
  expect(await other.answers('/async')).toBe(true);
  expect(await primary.answers('/sync')).toBe(false);
  expect(await primary.answers('/read-only-sync')).toBe(true);
  expect((await standby.rest('/patroni')).body['sync_standby']).toBe(true);
  const listed = await get().cluster.listMembers(primary);
  const roles = [primary, standby, other].map(({ name }) => listed.get(name)?.role);
  expect(roles).toEqual(['leader', 'sync_standby', 'replica']);
  const { text } = await standby.rest('/metrics');
  expect(text).toMatch(/^patroni_sync_standby\{.*\} 1$/m);
  expect(text).toMatch(/^pgbaton_synchronous_copies\{.*\} 1$/m);
});

test('three hosts lost in a row under load: nothing that was acknowledged is lost', async () => {
  const gaps: number[] = [];
  const winners: string[] = [];
  const begunAt = performance.now();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { primary } = await settled();
    await load().whenServing(primary);
    const killedAt = performance.now();
    await primary.kill();
    // Nobody but the leader writes it, until another one leads.
    const sync = await storedSync(get());
    expect(sync?.leader).toBe(primary.name);
    const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
    // Another one than the listed goes only with its vote, and when it has more of the log.
    winners.push(
      `${winner.name}${sync?.standbys.includes(winner.name) === true ? '' : ' with a vote'}`,
    );
    await load().whenServing(winner);
    gaps.push(load().gapSince(killedAt));
    expect(await load().lost(winner), 'acknowledged and gone').toEqual([]);
    primary.start();
  }
  const { primary } = await settled();
  expect(await load().lost(primary)).toEqual([]);
  expect(load().twoPrimaries).toEqual([]);
  expect(Math.max(...gaps)).toBeLessThan(LONGEST_GAP_MILLIS);
  const written = load().writesSince(begunAt).length;
  const rounded = gaps.map((gap) => Math.round(gap)).join(' ');
  console.log(
    `${KILLS} kills: ${written} writes acknowledged, 0 lost; gaps ${rounded} ms; ${winners.join(', ')}`,
  );
});

test('a lost synchronous standby is replaced by the other one, and writes go on', async () => {
  const { primary, standby, other } = await settled();
  await load().whenServing(primary);
  const before = await storedGeneration(get());
  const begunAt = performance.now();
  await standby.kill();
  const { standbys } = await whenSynchronous(get(), primary, { standbys: 1 });
  expect(standbys).toEqual([other.name]);
  await load().whenServing(primary);
  const gap = load().gapSince(begunAt);
  console.log(`synchronous standby lost: writes waited for ${Math.round(gap)} ms`);
  expect(gap).toBeLessThan(LONGEST_REPLACEMENT_MILLIS);
  expect((await storedGeneration(get())).n).toBe(before.n);
  standby.start();
  expect((await settled()).primary).toBe(primary);
});

test('a frozen synchronous standby holds commits up, and is replaced in a bounded time', async () => {
  const { primary, standby, other } = await settled();
  const frozen = standby.processes();
  const begunAt = performance.now();
  for (const { pid } of frozen) signalProcess(pid, 'SIGSTOP');
  try {
    await eventually(
      'another standby',
      async () => (await storedSync(get()))?.standbys.join() === other.name,
      BOUNDS.takeoverMillis,
    );
    await load().whenServing(primary);
    const gap = load().gapSince(begunAt);
    console.log(`synchronous standby frozen: writes waited for ${Math.round(gap)} ms`);
    expect(gap).toBeLessThan(LONGEST_STALL_MILLIS);
  } finally {
    for (const { pid } of frozen) signalProcess(pid, 'SIGCONT');
  }
  await settled();
  expect(await load().lost(primary)).toEqual([]);
});

test('a switchover goes to the synchronous standby, named or not, and to no other', async () => {
  const first = await settled();
  const refused = await first.primary.rest('/switchover', {
    method: 'POST',
    body: { leader: first.primary.name, candidate: first.other.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });
  expect(refused.status, refused.text).toBe(412);
  expect(refused.text).toContain('candidate name does not match with sync_standby');
  await get().cluster.switchover(first.primary, first.standby, BOUNDS.takeoverMillis);
  expect(await get().settle()).toBe(first.standby);

  const second = await settled();
  const answer = await second.primary.rest('/switchover', {
    method: 'POST',
    body: { leader: second.primary.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });
  expect(answer.status, answer.text).toBe(200);
  const third = await settled();
  expect(third.primary).toBe(second.standby);
  await load().whenServing(third.primary);
  expect(await load().lost(third.primary)).toEqual([]);
});

test('a failover to an asynchronous member goes there, for an operator asked for it', async () => {
  const { primary, other } = await settled();
  const answer = await primary.rest('/failover', {
    method: 'POST',
    body: { candidate: other.name },
    timeoutMillis: BOUNDS.takeoverMillis,
  });
  expect(answer.status, answer.text).toBe(200);
  expect((await settled()).primary).toBe(other);
  await load().whenServing(other);
});
