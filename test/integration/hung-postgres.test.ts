import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid, signalProcess } from '../../src/demo/processes.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { logMark, logSince } from '../harness/cluster-log.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

/** Shorter than the default of 10 s, so that the test is. */
const HANG_MILLIS = 3_000;
const IN_FLIGHT_MILLIS = 100;
const SQL_TIMEOUTS = { connectMillis: 5_000, statementMillis: 5_000 };

const get = useCluster({ members: 3, dynamic: { primary_hang_timeout: HANG_MILLIS / 1000 } });
const load = useLoad(get);

const serverPids = (member: DemoMember): number[] =>
  member
    .processes()
    .filter(({ argv }) => argv[0]?.includes('postgres') === true)
    .map(({ pid }) => pid);

interface Frozen {
  readonly member: DemoMember;
  readonly postmaster: number | undefined;
  readonly mark: number;
}

function freeze(member: DemoMember, which: 'all' | 'postmaster'): Frozen {
  const postmaster = postmasterPid(member.dataDir);
  const mark = logMark(member);
  if (postmaster === undefined) throw new Error(`no Postgres of ${member.name} runs`);
  const pids = which === 'all' ? serverPids(member) : [postmaster];
  for (const pid of pids) signalProcess(pid, 'SIGSTOP');
  return { member, postmaster, mark };
}

/** R180 has killed that server, and its agent has started another. */
async function healed({ member, postmaster, mark }: Frozen): Promise<void> {
  await eventually(
    `another postmaster of ${member.name}`,
    () => {
      const now = postmasterPid(member.dataDir);
      return now !== undefined && now !== postmaster;
    },
    BOUNDS.takeoverMillis,
  );
  expect(logSince(member, mark).some((line) => line['cause'] === 'hung')).toBe(true);
}

/** Somebody else leads, and what was acknowledged is there but for what was under way. */
async function handedOver(former: DemoMember, begunAt: number): Promise<void> {
  const next = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, former);
  await load().whenServing(next);
  const end = load()
    .writesSince(begunAt)
    .findLast(({ member }) => member === former.name)?.atMillis;
  const lost = await load().lost(next);
  const early = lost.filter(({ atMillis }) => atMillis < (end ?? begunAt) - IN_FLIGHT_MILLIS);
  expect(early).toEqual([]);
  expect(load().twoPrimaries).toEqual([]);
  expect(load().writableSequence(begunAt).at(-1)).toBe(next.name);
  expect((await storedGeneration(get())).holder).toBe(next.name);
}

test('a primary that is frozen whole is killed, another leads, and it comes back as a standby', async () => {
  const primary = await get().settle();
  const begunAt = performance.now();
  const frozen = freeze(primary, 'all');
  await handedOver(primary, begunAt);
  await healed(frozen);
  expect(await get().settle()).not.toBe(primary);
});

test('a postmaster that takes no new connection, though its sessions go on, is a hung server too', async () => {
  const primary = await get().settle();
  const begunAt = performance.now();
  const frozen = freeze(primary, 'postmaster');
  await handedOver(primary, begunAt);
  await healed(frozen);
  await get().settle();
});

test('a standby that is frozen is killed and streams again; the primary goes on', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  const [standby] = get().others(primary);
  const begunAt = performance.now();
  await healed(freeze(standby, 'all'));
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(n);
  expect(load().writableSequence(begunAt)).toEqual([primary.name]);
});

test('all connections taken, those of superusers and of the agent too: nothing happens', async () => {
  const primary = await get().settle();
  const { n } = await storedGeneration(get());
  const [setting] = await primary.sql('show max_connections');
  const begunAt = performance.now();
  const clients: SqlConnection[] = [];
  const fill = async (): Promise<void> => {
    for (let tries = 0; tries < Number(setting?.['max_connections']); tries += 1) {
      const client = await SqlConnection.open(primary.sqlTarget, SQL_TIMEOUTS).catch(
        () => undefined,
      );
      if (client === undefined) return;
      clients.push(client);
    }
  };
  try {
    await fill();
    await clients[0]?.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgbaton'",
    );
    // A session that has just ended leaves its place a moment later.
    await eventually('no room for one more', async () => {
      await fill();
      const refused = primary.sql('select 1').then(() => '', String);
      return /too many clients/.test(await refused);
    });
    const filledAt = performance.now();
    await eventually(
      'more than the agent would bear with a server that hangs',
      () => performance.now() - filledAt > 2 * HANG_MILLIS,
    );
    expect(await primary.answers('/primary')).toBe(true);
    expect(load().writableSequence(begunAt)).toEqual([primary.name]);
  } finally {
    for (const client of clients) client.close();
  }
  expect(await get().settle()).toBe(primary);
  expect((await storedGeneration(get())).n).toBe(n);
  expect(load().primarySequence(begunAt)).toEqual([primary.name]);
});
