import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { BOUNDS, eventually, jobsOfReturn, useCluster } from '../harness/cluster.ts';
import { jobsSince, logMark, logSince } from '../harness/cluster-log.ts';
import { storedGeneration, wipeStore } from '../harness/cluster-store.ts';

/** A clone of this member takes long enough to be killed in the middle of it. */
const SLOW = 'pg3';

const get = useCluster({
  members: 3,
  local: (member) =>
    member === SLOW ? { postgresql: { basebackup: [{ 'max-rate': '8M' }] } } : {},
});

/** Jobs since the mark that gave the member its data; none when it just followed. */
const dataJobsSince = (member: DemoMember, mark: number): unknown[] =>
  jobsSince(member, mark).filter((job) => job === 'rewind' || job === 'clone');

async function note(member: DemoMember, text: string): Promise<void> {
  await member.sql('create table if not exists notes (text text)');
  await member.sql('insert into notes values ($1)', [text]);
}

async function notesOf(member: DemoMember): Promise<string[]> {
  const rows = await member.sql('select text from notes order by 1');
  return rows.map((row) => String(row['text']));
}

async function expectSameNotes(expected: readonly string[]): Promise<void> {
  for (const member of get().members) {
    await eventually(`the notes on ${member.name}`, async () => {
      return JSON.stringify(await notesOf(member)) === JSON.stringify(expected);
    });
  }
}

test('a primary with writes that nobody received is rewound; what it had on top is kept aside', async () => {
  const old = await get().settle();
  const others = get().others(old);
  await note(old, 'everywhere');
  await get().settle();
  for (const other of others) await other.kill();
  await note(old, 'only on the old primary');
  await old.kill();
  for (const other of others) other.start();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, old);
  await note(winner, 'on the new primary');
  const mark = logMark(old);
  expect(await get().settle()).toBe(winner);
  expect(dataJobsSince(old, mark)).toEqual(['rewind']);
  await expectSameNotes(['everywhere', 'on the new primary']);
  const kept = logSince(old, mark).find(({ msg }) => msg === 'diverged WAL kept');
  const folder = String(kept?.['copiedTo']);
  expect(readdirSync(folder).length).toBeGreaterThan(0);
});

test('a replica whose log is gone from the primary is cloned anew, and streams through its slot again', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const patch = {
    postgresql: { parameters: { max_slot_wal_keep_size: '16MB', wal_keep_size: '16MB' } },
  };
  const patched = await primary.rest('/config', { method: 'PATCH', body: patch });
  expect(patched.status, patched.text).toBe(200);
  await eventually('the setting live', async () => {
    const [row] = await primary.sql('show max_slot_wal_keep_size');
    return row?.['max_slot_wal_keep_size'] === '16MB';
  });
  await replica.kill();
  await eventually('its log removed', async () => {
    await note(primary, 'more');
    await primary.sql('select pg_switch_wal()');
    await primary.sql('checkpoint');
    const [slot] = await primary.sql(
      'select wal_status from pg_replication_slots where slot_name = $1',
      [replica.name],
    );
    return slot?.['wal_status'] === 'lost';
  });
  const mark = logMark(replica);
  expect(await get().settle()).toBe(primary);
  expect(dataJobsSince(replica, mark)).toEqual(['clone']);
  await eventually('its slot in use', async () => {
    const [slot] = await primary.sql(
      'select active, wal_status from pg_replication_slots where slot_name = $1',
      [replica.name],
    );
    return slot?.['active'] === true && slot['wal_status'] !== 'lost';
  });
  const undo = {
    postgresql: { parameters: { max_slot_wal_keep_size: null, wal_keep_size: '64MB' } },
  };
  expect((await primary.rest('/config', { method: 'PATCH', body: undo })).status).toBe(200);
});

test('a member that lost its disk clones; a clone that a power cut breaks off is never started, but made again', async () => {
  const primary = await leaderOtherThan(SLOW);
  const slow = get().cluster.member(SLOW);
  await slow.kill();
  rmSync(slow.dataDir, { recursive: true });
  slow.start();
  await eventually('the copy under way', async () => {
    const { text } = await slow.rest('/explain');
    return /copied [1-9]\d? %/.test(text);
  });
  await slow.kill();
  expect(existsSync(join(slow.dataDir, 'global/pg_control'))).toBe(false);
  const mark = logMark(slow);
  expect(await get().settle()).toBe(primary);
  expect(await jobsOfReturn(slow, mark)).toEqual(['clone', 'start']);
});

test('a reinitialisation that a power cut breaks off leaves the member with the data it had', async () => {
  const primary = await leaderOtherThan(SLOW);
  const slow = get().cluster.member(SLOW);
  const asked = await slow.rest('/reinitialize', { method: 'POST', body: { force: true } });
  expect(asked.status, asked.text).toBe(200);
  await eventually('the copy under way', async () => {
    const { text } = await slow.rest('/explain');
    return /copied [1-9]\d? %/.test(text);
  });
  await slow.kill();
  const mark = logMark(slow);
  expect(await get().settle()).toBe(primary);
  expect(await jobsOfReturn(slow, mark)).toEqual(['diagnose', 'start']);
});

async function leaderOtherThan(name: string): Promise<DemoMember> {
  const primary = await get().settle();
  if (primary.name !== name) return primary;
  const [candidate] = get().others(primary);
  await get().cluster.switchover(primary, candidate, BOUNDS.takeoverMillis);
  return get().settle();
}

test('the same timeline number promoted twice is not joined silently: a person decides, and reinit mends it', async () => {
  const first = await get().settle();
  const [second, third] = get().others(first);
  if (third === undefined) throw new Error('three members are needed');
  const before = await storedGeneration(get());
  await second.kill();
  await first.kill();
  // The third alone is promoted, writes, and is lost together with all that Consul knew of it.
  expect(await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, first)).toBe(third);
  await note(third, 'of the history that nobody knows');
  const lost = await eventually('its promotion recorded', async () => {
    const generation = await storedGeneration(get());
    return generation.timeline > before.timeline && generation;
  });
  await third.kill();
  await wipeStore(get());
  first.start();
  second.start();
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, third);
  await note(winner, 'of the history that goes on');
  const other = winner === first ? second : first;
  await eventually('the other streaming', async () =>
    (await get().cluster.streaming(winner)).includes(other.name),
  );
  const now = await eventually('the second promotion recorded', async () => {
    const generation = await storedGeneration(get());
    return generation.timeline > 0 && generation;
  });
  expect(now.timeline, 'both promotions gave the same number').toBe(lost.timeline);
  expect(now.id).not.toBe(lost.id);

  third.start();
  const explanation = await eventually('the third saying why it waits', async () => {
    const { text } = await third.rest('/explain');
    return text.includes(`was promoted here under generation ${lost.id}`) && text;
  });
  expect(explanation).toContain('pgbaton reinit');
  expect(await get().cluster.streaming(winner)).not.toContain(third.name);
  expect(existsSync(third.dataDir)).toBe(true);
  const asked = await third.rest('/reinitialize', { method: 'POST', body: { force: true } });
  expect(asked.status, asked.text).toBe(200);
  expect(await get().settle()).toBe(winner);
  const notes = await notesOf(third);
  expect(notes).toContain('of the history that goes on');
  expect(notes).not.toContain('of the history that nobody knows');
});
