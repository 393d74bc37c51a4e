import { expect, test } from 'vitest';
import type { DemoMember } from '../../src/demo/member.ts';
import { postmasterPid } from '../../src/demo/processes.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import { BOUNDS, eventually, useCluster } from '../harness/cluster.ts';
import { useLoad } from '../harness/cluster-load.ts';
import { logMark, logSince } from '../harness/cluster-log.ts';
import { storedGeneration } from '../harness/cluster-store.ts';

const TTL_MILLIS = 3_000;

const get = useCluster({ members: 3 });
const load = useLoad(get);

/** A client in the middle of its work: one connection, one transaction after the other, until told to end. */
class Session {
  readonly #connection: SqlConnection;
  #ending = false;
  transactions = 0;
  readonly #running: Promise<void>;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.#running = this.#run();
  }

  static async open(member: DemoMember): Promise<Session> {
    const connection = await SqlConnection.open(member.sqlTarget, {
      connectMillis: 2_000,
      statementMillis: 5_000,
    });
    await connection.query('create temporary table kept (n bigint)');
    return new Session(connection);
  }

  async #run(): Promise<void> {
    while (!this.#ending) {
      await this.#connection.query('begin');
      await this.#connection.query('insert into kept values ($1)', [this.transactions]);
      await this.#connection.query('select pg_sleep(0.01)');
      await this.#connection.query('commit');
      this.transactions += 1;
    }
  }

  /** Throws what broke the session; a temporary table proves that it was the same all the time. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#running;
    const [row] = await this.#connection.query('select count(*)::int as n from kept');
    this.#connection.close();
    expect(row?.['n']).toBe(this.transactions);
  }
}

/** Waits until the agent that was just started leads again, which it says itself. */
async function whenAdopted(member: DemoMember, mark: number): Promise<void> {
  await eventually('the new agent leading', async () => {
    const adopted = logSince(member, mark).some(({ msg }) =>
      msg.startsWith('adopts the lease and the Postgres'),
    );
    return adopted && (await member.answers('/primary'));
  });
}

/** Nobody noticed: same lease, same postmaster, no connection lost, no pause. */
async function expectUnnoticed(
  primary: DemoMember,
  before: { readonly generation: number; readonly pid: number | undefined; readonly at: number },
): Promise<void> {
  await load().whenServing(primary);
  expect((await storedGeneration(get())).n).toBe(before.generation);
  expect(postmasterPid(primary.dataDir)).toBe(before.pid);
  expect(
    load()
      .writerOf(primary)
      .disconnections.filter(({ atMillis }) => atMillis > before.at),
  ).toEqual([]);
  expect(load().gapSince(before.at)).toBeLessThan(BOUNDS.schedulingMillis);
  expect(load().writableSequence(before.at)).toEqual([primary.name]);
  expect(await load().lost(primary)).toEqual([]);
}

const noteBefore = async (primary: DemoMember) => ({
  generation: (await storedGeneration(get())).n,
  pid: postmasterPid(primary.dataDir),
  at: performance.now(),
});

test('an agent killed and started again under load adopts Postgres and lease: no connection, no write is lost', async () => {
  const primary = await get().settle();
  const session = await Session.open(primary);
  const before = await noteBefore(primary);
  const mark = logMark(primary);
  await primary.killAgent();
  primary.start();
  await whenAdopted(primary, mark);
  await expectUnnoticed(primary, before);
  await session.end();
});

test('SIGUSR2 and a new agent, as for an upgrade: nobody notices, three times in a row', async () => {
  const primary = await get().settle();
  const session = await Session.open(primary);
  const before = await noteBefore(primary);
  for (let round = 0; round < 3; round += 1) {
    const mark = logMark(primary);
    primary.agent.signal('SIGUSR2');
    await primary.agent.ended;
    expect(logSince(primary, mark).at(-1)).toMatchObject({
      msg: 'pgbaton stopped',
      how: 'detached',
    });
    primary.start();
    await whenAdopted(primary, mark);
  }
  await expectUnnoticed(primary, before);
  await session.end();
});

test('a replica whose agent is killed and started again streams on from the same postmaster', async () => {
  const primary = await get().settle();
  const [replica] = get().others(primary);
  const pid = postmasterPid(replica.dataDir);
  const before = await noteBefore(primary);
  await replica.killAgent();
  replica.start();
  await eventually('the agent', async () => replica.answers('/replica'));
  expect(await get().settle()).toBe(primary);
  expect(postmasterPid(replica.dataDir)).toBe(pid);
  await expectUnnoticed(primary, before);
});

test('an agent killed for good: Postgres is fenced by the end of the lease, and only then another leads', async () => {
  const primary = await get().settle();
  const killedAt = performance.now();
  await primary.killAgent();
  await eventually('the fence', () => postmasterPid(primary.dataDir) === undefined);
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  const writes = load()
    .writesSince(killedAt)
    .filter(({ member }) => member === primary.name);
  const lastWrite = writes.at(-1)?.atMillis ?? killedAt;
  expect(lastWrite - killedAt, 'writes went on while the lease held').toBeGreaterThan(
    TTL_MILLIS / 4,
  );
  expect(lastWrite - killedAt, 'and ended with it').toBeLessThan(
    TTL_MILLIS + BOUNDS.schedulingMillis,
  );
  expect(load().writableSequence(killedAt)).toEqual([primary.name, winner.name]);
  expect(load().twoPrimaries).toEqual([]);
  expect(await get().settle()).toBe(winner);
});

test('a frozen agent is as good as dead: its Postgres is fenced in time, and once awake it follows', async () => {
  const primary = await get().settle();
  const frozenAt = performance.now();
  primary.agent.signal('SIGSTOP');
  await eventually('the fence', () => postmasterPid(primary.dataDir) === undefined);
  const fencedAfterMillis = performance.now() - frozenAt;
  expect(fencedAfterMillis).toBeLessThan(TTL_MILLIS + BOUNDS.schedulingMillis);
  const winner = await get().cluster.waitForPrimary(BOUNDS.takeoverMillis, primary);
  await load().whenServing(winner);
  await eventually('a long sleep', () => performance.now() - frozenAt > 10_000);
  primary.agent.signal('SIGCONT');
  expect(await get().settle()).toBe(winner);
  expect(load().writableSequence(frozenAt)).toEqual([primary.name, winner.name]);
  expect(load().primarySequence(frozenAt).at(-1)).toBe(winner.name);
  expect(load().twoPrimaries).toEqual([]);
});
