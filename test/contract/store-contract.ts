import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { indexOf, valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord, Lease, MemberKey } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import type {
  Change,
  ClusterStore,
  Guard,
  StoreKey,
  WriteAnswer,
} from '../../src/ports/cluster-store.ts';

/** A store with what stands around it, real or in memory. */
export interface StoreUnderTest {
  /** A further member of the cluster `scope`. */
  connect(scope: string, member: string): ClusterStore & { close(): void };
  /** What another program writes: any bytes under a key of the cluster. */
  put(scope: string, key: string, value: string | Uint8Array): Promise<void>;
  /** As a person or the end of its TTL would. */
  destroySession(session: string): Promise<void>;
  close(): Promise<void>;
}

const TIMEOUT = 5000;

const lease = (beat: number): Lease => ({
  id: 'id-1',
  n: 1,
  incarnation: 'inc',
  beat,
  ttlMillis: 3000,
  released: undefined,
});

const member: MemberKey = {
  name: 'node1',
  connUrl: 'postgres://127.0.0.1:5432/postgres',
  apiUrl: 'http://127.0.0.1:8008/patroni',
  state: 'running',
  role: 'primary',
  version: '0.1.0',
};

const setInitialize = (value: string): Change => ({
  kind: 'set',
  entry: { key: 'initialize', value },
});
const setLease = (beat: number): Change => ({
  kind: 'set',
  entry: { key: 'lease', value: lease(beat) },
});
const lockLeader = (name: string, session: string): Change => ({
  kind: 'lock',
  entry: { key: 'leader', value: name },
  session,
});
const at = (key: StoreKey, index: number): Guard => ({ kind: 'index', key, index });

function indexesOf(answer: WriteAnswer): Readonly<Record<string, number>> {
  expect(answer).toMatchObject({ kind: 'committed' });
  return answer.kind === 'committed' ? answer.indexes : {};
}

/** Every store must pass this: the agent and the simulator rely on each line of it. */
export function storeContract(name: string, setUp: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let world: StoreUnderTest;
    let scopes = 0;
    let scope: string;
    let store: ReturnType<StoreUnderTest['connect']>;
    const opened: { close(): void }[] = [];

    const connect = (as: string): typeof store => {
      const client = world.connect(scope, as);
      opened.push(client);
      return client;
    };
    const commit = (guards: readonly Guard[], changes: readonly Change[]): Promise<WriteAnswer> =>
      store.commit({ guards, changes }, TIMEOUT);
    const read = async (): Promise<{ record: ClusterRecord; index: number }> => {
      const answer = await store.read(TIMEOUT);
      expect(answer.kind).toBe('read');
      if (answer.kind !== 'read') throw new Error(answer.failure.message);
      return answer;
    };
    const openSession = async (client: ClusterStore = store): Promise<string> => {
      const answer = await client.openSession(TIMEOUT);
      expect(answer).toMatchObject({ kind: 'open' });
      return answer.kind === 'open' ? answer.session : '';
    };

    beforeAll(async () => {
      world = await setUp();
    });
    beforeEach(() => {
      scopes += 1;
      scope = `cluster${scopes}`;
      store = connect('node1');
    });
    afterAll(async () => {
      for (const client of opened) client.close();
      await world.close();
    });

    test('a cluster that never was is empty and can be watched', async () => {
      const { record, index } = await read();
      expect(record).toMatchObject({ leader: { kind: 'absent' }, members: [] });
      expect(index).toBeGreaterThanOrEqual(1);
    });

    test('a commit answers the index of each key, as a read then shows it', async () => {
      const indexes = indexesOf(
        await commit([], [setInitialize('123'), setLease(1), { kind: 'delete', key: 'failover' }]),
      );
      const { record, index } = await read();
      expect(indexes).toEqual({
        initialize: indexOf(record.initialize),
        lease: indexOf(record.lease),
        failover: 0,
      });
      expect(index).toBe(indexOf(record.lease));
      expect(valueOf(record.lease)).toEqual(lease(1));
    });

    test('every kind of key is read as it was written', async () => {
      const huge = lsn(2n ** 64n - 1n);
      const generation = {
        n: 3,
        id: 'g3',
        holder: 'node1',
        timeline: 2,
        switchLsn: huge,
        ancestors: [{ id: 'g2', timeline: 1, switchLsn: lsn(7n) }],
      };
      const status = { optime: huge, slots: { node2: huge }, retainSlots: ['node2'] };
      const history = [
        { timeline: 1, lsn: huge, reason: 'no recovery target', timestamp: 't', leader: 'node2' },
      ];
      const failover = { leader: 'node1', candidate: 'node2', scheduledAt: undefined };
      const failsafe = { node1: member.apiUrl, 'nøde "2"': 'http://h/patroni' };
      const config = { ttl: 30, postgresql: { parameters: { a: 'ü', b: [1, true, null] } } };
      indexesOf(
        await commit(
          [],
          [
            { kind: 'set', entry: { key: 'generation', value: generation } },
            { kind: 'set', entry: { key: 'status', value: status } },
            { kind: 'set', entry: { key: 'history', value: history } },
            { kind: 'set', entry: { key: 'failover', value: failover } },
            { kind: 'set', entry: { key: 'failsafe', value: failsafe } },
            { kind: 'set', entry: { key: 'config', value: config } },
            { kind: 'set', entry: { key: 'members/node1', value: member } },
            { kind: 'set', entry: { key: 'events/0001', value: { what: 'failover' } } },
            { kind: 'set', entry: { key: 'initialize', value: '' } },
          ],
        ),
      );
      const { record } = await read();
      expect(valueOf(record.generation)).toEqual(generation);
      expect(valueOf(record.status)).toEqual(status);
      expect(valueOf(record.history)).toEqual(history);
      expect(valueOf(record.failover)).toEqual(failover);
      expect(valueOf(record.failsafe)).toEqual(failsafe);
      expect(valueOf(record.config)).toEqual(config);
      expect(valueOf(record.initialize)).toBe('');
      expect(record.members).toMatchObject([{ key: member, session: undefined }]);
    });

    test('identical bytes do not move the index', async () => {
      const first = indexesOf(await commit([], [setLease(1)]));
      expect(indexesOf(await commit([], [setLease(1)]))).toEqual(first);
      const third = indexesOf(await commit([], [setLease(2)]));
      expect(third['lease']).toBeGreaterThan(first['lease'] ?? 0);
    });

    test('a guard that does not hold refuses everything and is named', async () => {
      const { initialize = 0 } = indexesOf(await commit([], [setInitialize('1')]));
      const stale = at('initialize', initialize + 1);
      const exists = at('initialize', 0);
      const missing = at('lease', 5);
      const foreign: Guard = { kind: 'session', key: 'initialize', session: 'nobody' };
      const keyless: Guard = { kind: 'session', key: 'leader', session: 'nobody' };
      const holds = at('generation', 0);
      const guards = [stale, holds, exists, missing, foreign, keyless];
      expect(await commit(guards, [setInitialize('2'), setLease(9)])).toMatchObject({
        kind: 'refused',
        guards: [stale, exists, missing, foreign, keyless],
        lockFailed: false,
      });
      const { record } = await read();
      expect(valueOf(record.initialize)).toBe('1');
      expect(record.lease.kind).toBe('absent');
    });

    test('guards that hold let the write through', async () => {
      const { initialize = 0 } = indexesOf(await commit([], [setInitialize('1')]));
      indexesOf(await commit([at('initialize', initialize), at('lease', 0)], [setLease(1)]));
    });

    test('guards alone are a question with an answer', async () => {
      expect(await commit([at('lease', 0)], [])).toEqual({ kind: 'committed', indexes: {} });
      expect(await commit([at('lease', 3)], [])).toMatchObject({ kind: 'refused' });
    });

    test('of parallel commits on one index exactly one wins', async () => {
      const { lease: index = 0 } = indexesOf(await commit([], [setLease(0)]));
      const rivals = Array.from({ length: 20 }, (_, number) => connect(`rival${number}`));
      const answers = await Promise.all(
        rivals.map((rival, number) =>
          rival.commit({ guards: [at('lease', index)], changes: [setLease(number + 1)] }, TIMEOUT),
        ),
      );
      expect(answers.filter((answer) => answer.kind === 'committed')).toHaveLength(1);
      expect(answers.filter((answer) => answer.kind === 'refused')).toHaveLength(19);
    });

    test('a lock is seen with its session, can be guarded on, and taken again by its holder', async () => {
      const session = await openSession();
      indexesOf(await commit([at('leader', 0)], [lockLeader('node1', session)]));
      const { record } = await read();
      expect(valueOf(record.leader)).toEqual({ member: 'node1', session });
      const mine: Guard = { kind: 'session', key: 'leader', session };
      indexesOf(await commit([mine], [setLease(1), lockLeader('node1', session)]));
      expect((await read()).record.leader).toEqual(record.leader);
    });

    test('a lock of another refuses, in the whole transaction', async () => {
      const other = connect('node2');
      const theirs = await openSession(other);
      indexesOf(
        await other.commit({ guards: [], changes: [lockLeader('node2', theirs)] }, TIMEOUT),
      );
      const mine = await openSession();
      expect(await commit([], [setLease(1), lockLeader('node1', mine)])).toMatchObject({
        kind: 'refused',
        guards: [],
        lockFailed: true,
      });
      expect((await read()).record.lease.kind).toBe('absent');
    });

    test('a plain set writes over a lock and leaves it locked', async () => {
      const session = await openSession();
      indexesOf(await commit([], [lockLeader('node1', session)]));
      indexesOf(await commit([], [{ kind: 'set', entry: { key: 'leader', value: 'node2' } }]));
      expect(valueOf((await read()).record.leader)).toEqual({ member: 'node2', session });
    });

    test('delete and lock in one transaction take a key over at once', async () => {
      const other = connect('node2');
      const theirs = await openSession(other);
      const { leader = 0 } = indexesOf(
        await other.commit({ guards: [], changes: [lockLeader('node2', theirs)] }, TIMEOUT),
      );
      const mine = await openSession();
      const indexes = indexesOf(
        await commit(
          [at('leader', leader)],
          [{ kind: 'delete', key: 'leader' }, lockLeader('node1', mine)],
        ),
      );
      expect(indexes['leader']).toBeGreaterThan(leader);
      expect(valueOf((await read()).record.leader)).toEqual({ member: 'node1', session: mine });
    });

    test('a session that ended locks nothing, and its keys went with it', async () => {
      const session = await openSession();
      indexesOf(
        await commit(
          [],
          [
            lockLeader('node1', session),
            { kind: 'lock', entry: { key: 'members/node1', value: member }, session },
            setLease(1),
          ],
        ),
      );
      await world.destroySession(session);
      const { record } = await read();
      expect(record.leader.kind).toBe('absent');
      expect(record.members).toEqual([]);
      expect(valueOf(record.lease)).toEqual(lease(1));
      expect(await commit([], [lockLeader('node1', session)])).toMatchObject({
        kind: 'refused',
        guards: [],
        lockFailed: true,
      });
      expect(await store.renewSession(session, TIMEOUT)).toEqual({ kind: 'gone' });
    });

    test('a session can be renewed and closed', async () => {
      const session = await openSession();
      expect(await store.renewSession(session, TIMEOUT)).toEqual({
        kind: 'open',
        session,
        ttlMillis: 10_000,
      });
      indexesOf(await commit([], [lockLeader('node1', session)]));
      await store.closeSession(session, TIMEOUT);
      expect((await read()).record.leader.kind).toBe('absent');
      expect(await store.renewSession(session, TIMEOUT)).toEqual({ kind: 'gone' });
      await store.closeSession(session, TIMEOUT);
    });

    test('values nobody can read are garbled, can be guarded on and replaced', async () => {
      await world.put(scope, 'lease', '{"n":');
      await world.put(scope, 'generation', Uint8Array.from([0xff, 0x00, 0xfe]));
      await world.put(scope, 'members/node9', 'postgres://');
      const { record } = await read();
      expect(record.lease.kind).toBe('garbled');
      expect(record.generation).toMatchObject({ kind: 'garbled', reason: 'not UTF-8' });
      expect(record.members).toMatchObject([{ key: { name: 'node9', state: 'unknown' } }]);
      indexesOf(await commit([at('lease', indexOf(record.lease))], [setLease(1)]));
      expect((await read()).record.lease.kind).toBe('present');
    });

    test('clusters whose names begin alike do not see each other', async () => {
      await world.put(`${scope}0`, 'leader', 'stranger');
      expect((await read()).record.leader.kind).toBe('absent');
    });

    test('a watch with index 0 answers at once, with the current one after a change or the wait', async () => {
      const { signal } = new AbortController();
      const { lease: index = 0 } = indexesOf(await commit([], [setLease(1)]));
      const first = await store.watch(0, 10_000, signal);
      expect(first).toMatchObject({ kind: 'read', index });
      const waited = await store.watch(index, 200, signal);
      expect(waited).toMatchObject({ kind: 'read', index });
      const watching = store.watch(index, 10_000, signal);
      const { lease: next = 0 } = indexesOf(await commit([], [setLease(2)]));
      const woken = await watching;
      expect(woken).toMatchObject({ kind: 'read', index: next });
      expect(woken.kind === 'read' && valueOf(woken.record.lease)).toEqual(lease(2));
    });

    test('a watch wakes for a deletion, and the index goes on rising', async () => {
      const session = await openSession();
      const { leader = 0 } = indexesOf(await commit([], [lockLeader('node1', session)]));
      const watching = store.watch(leader, 10_000, new AbortController().signal);
      await world.destroySession(session);
      const woken = await watching;
      expect(woken.kind === 'read' && woken.record.leader.kind).toBe('absent');
      expect(woken.kind === 'read' && woken.index).toBeGreaterThan(leader);
      expect((await read()).index).toBeGreaterThan(leader);
    });

    test('a watch beyond the newest index comes back with 0, to start over', async () => {
      const { lease: index = 0 } = indexesOf(await commit([], [setLease(1)]));
      const { signal } = new AbortController();
      expect(await store.watch(index + 1000, 100, signal)).toMatchObject({
        kind: 'read',
        index: 0,
      });
    });

    test('a cancelled watch ends at once', async () => {
      const { lease: index = 0 } = indexesOf(await commit([], [setLease(1)]));
      const stop = new AbortController();
      const watching = store.watch(index, 60_000, stop.signal);
      stop.abort();
      expect(await watching).toMatchObject({ kind: 'failed', failure: { code: 'cancelled' } });
    });
  });
}
