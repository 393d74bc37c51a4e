import { beforeEach, describe, expect, test } from 'vitest';
import { valueOf } from '../../../src/core/cluster.ts';
import type { Lease } from '../../../src/core/cluster.ts';
import type { ReadAnswer, StoreWrite, WriteAnswer } from '../../../src/ports/cluster-store.ts';
import { FakeConsul } from '../../harness/fake-store.ts';
import type { FakeFault, FakeStore } from '../../harness/fake-store.ts';
import { ManualClock, seededRandom } from '../../harness/fake-store-clock.ts';

// What the fake adds to the contract: time, faults, and the past coming back.

let clock: ManualClock;
let consul: FakeConsul;
let store: FakeStore;

beforeEach(() => {
  clock = new ManualClock();
  consul = new FakeConsul({ clock, random: seededRandom(7), latencyMillis: () => 5 });
  store = connect('node1');
});

const connect = (memberName: string): FakeStore =>
  consul.connect({ scope: 's', namespace: 'service', memberName, sessionTtlMillis: 10_000 });

const lease = (beat: number): Lease => ({
  id: 'i',
  n: 1,
  incarnation: 'c',
  beat,
  ttlMillis: 3000,
  released: undefined,
});
const beat = (number: number): StoreWrite => ({
  guards: [],
  changes: [{ kind: 'set', entry: { key: 'lease', value: lease(number) } }],
});

/** Lets the clock run until the answer is there. */
async function answered<T>(promise: Promise<T>, millis = 20_000): Promise<T> {
  const nothing = Symbol('nothing');
  let value: T | typeof nothing = nothing;
  void promise.then((result) => {
    value = result;
  });
  await clock.advance(millis);
  if (value === nothing) throw new Error(`no answer within ${millis} ms`);
  return value;
}

const stored = (): number | undefined =>
  valueOf(consul.server.list('service/s/').record.lease)?.beat;

async function withFault(fault: FakeFault, write = beat(1), timeout = 500): Promise<WriteAnswer> {
  consul.intercept = () => fault;
  return answered(store.commit(write, timeout), timeout);
}

describe('faults', () => {
  test.each<readonly [FakeFault, string, number | undefined]>([
    [{ kind: 'refuse' }, 'not-done', undefined],
    [{ kind: 'deny' }, 'not-done', undefined],
    [{ kind: 'drop' }, 'unknown', undefined],
    [{ kind: 'lose-reply' }, 'unknown', 1],
    [{ kind: 'fail', effect: false }, 'unknown', undefined],
    [{ kind: 'fail', effect: true }, 'unknown', 1],
    [{ kind: 'delay', millis: 100 }, 'committed', 1],
    [{ kind: 'delay-reply', millis: 1000 }, 'unknown', 1],
  ])('%j', async (fault, kind, value) => {
    expect(await withFault(fault)).toMatchObject({ kind });
    expect(stored()).toBe(value);
  });

  test('a delayed request takes effect long after its sender gave up', async () => {
    expect(await withFault({ kind: 'delay', millis: 3000 })).toMatchObject({ kind: 'unknown' });
    expect(stored()).toBeUndefined();
    await clock.advance(3000);
    expect(stored()).toBe(1);
  });

  test('a member that is cut off gets and gives nothing, others do', async () => {
    consul.partition('node1', true);
    expect(await answered(store.commit(beat(1), 500), 500)).toMatchObject({ kind: 'unknown' });
    const other = connect('node2');
    expect(await answered(other.commit(beat(2), 500))).toMatchObject({ kind: 'committed' });
    consul.partition('node1', false);
    expect(await answered(store.read(500))).toMatchObject({ kind: 'read' });
    expect(stored()).toBe(2);
  });
});

describe('without a leader', () => {
  test('requests are held, and commit when there is one again though nobody waits', async () => {
    consul.server.setLeader(false);
    expect(await answered(store.commit(beat(1), 500), 500)).toMatchObject({
      kind: 'unknown',
      failure: { code: 'timeout' },
    });
    await clock.advance(2500);
    consul.server.setLeader(true);
    await clock.advance(10);
    expect(stored()).toBe(1);
  });

  test('after seven seconds they are refused for good', async () => {
    consul.server.setLeader(false);
    expect(await answered(store.commit(beat(1), 10_000))).toMatchObject({
      kind: 'unknown',
      failure: { code: 'no-leader' },
    });
    consul.server.setLeader(true);
    await clock.advance(1000);
    expect(stored()).toBeUndefined();
  });
});

describe('sessions', () => {
  const open = async (): Promise<string> => {
    const answer = await answered(store.openSession(500), 20);
    if (answer.kind !== 'open') throw new Error('no session');
    const lock: StoreWrite = {
      guards: [],
      changes: [
        { kind: 'lock', entry: { key: 'leader', value: 'node1' }, session: answer.session },
      ],
    };
    expect(await answered(store.commit(lock, 500), 20)).toMatchObject({ kind: 'committed' });
    return answer.session;
  };
  const held = (): boolean => consul.server.list('service/s/').record.leader.kind === 'present';

  test('end only after twice their TTL without a renewal', async () => {
    const session = await open();
    await clock.advance(15_000);
    expect(await answered(store.renewSession(session, 500), 20)).toMatchObject({ kind: 'open' });
    await clock.advance(19_900);
    expect(held()).toBe(true);
    await clock.advance(200);
    expect(held()).toBe(false);
    expect(await answered(store.renewSession(session, 500), 20)).toEqual({ kind: 'gone' });
  });

  test('live longer when Consul changes its leader', async () => {
    await open();
    await clock.advance(19_000);
    consul.server.changeLeader();
    await clock.advance(19_000);
    expect(held()).toBe(true);
    await clock.advance(2000);
    expect(held()).toBe(false);
  });

  test('leave a lock delay behind that refuses before any guard is looked at', async () => {
    const session = await open();
    const next = await answered(store.openSession(500), 20);
    consul.server.destroySession(session);
    const write: StoreWrite = {
      guards: [{ kind: 'index', key: 'lease', index: 99 }],
      changes: [
        {
          kind: 'lock',
          entry: { key: 'leader', value: 'x' },
          session: next.kind === 'open' ? next.session : '',
        },
      ],
    };
    expect(consul.server.commit('service/s/', write)).toMatchObject({
      guards: [],
      lockFailed: true,
    });
    await clock.advance(1);
    expect(consul.server.commit('service/s/', write)).toMatchObject({ guards: write.guards });
  });
});

describe('the past', () => {
  const index = (answer: ReadAnswer): number => (answer.kind === 'read' ? answer.index : -1);
  const { signal } = new AbortController();

  test('comes back with a restore: a watch starts over', async () => {
    await answered(store.commit(beat(1), 500));
    const backup = consul.server.snapshot();
    await answered(store.commit(beat(2), 500));
    const before = index(await answered(store.read(500)));
    consul.server.restore(backup);
    expect(stored()).toBe(1);
    expect(index(await answered(store.watch(before, 1000, signal)))).toBe(0);
    expect(index(await answered(store.watch(0, 1000, signal)))).toBeLessThan(before);
  });

  test('is gone after a wipe', async () => {
    await answered(store.commit(beat(1), 500));
    consul.server.wipe();
    const answer = await answered(store.read(500));
    expect(answer.kind === 'read' && answer.record.lease.kind).toBe('absent');
    expect(index(answer)).toBe(1);
  });

  test('makes indexes fall when tombstones are reaped', async () => {
    await answered(store.commit(beat(1), 500));
    consul.server.put('service/s/failover', 'a:b');
    consul.server.delete('service/s/failover');
    const before = index(await answered(store.read(500)));
    consul.server.kv.reapTombstones();
    expect(index(await answered(store.read(500)))).toBeLessThan(before);
  });

  test('a blocking query may answer without a reason', async () => {
    await answered(store.commit(beat(1), 500));
    const at = index(await answered(store.read(500)));
    const watching = store.watch(at, 60_000, signal);
    await clock.advance(100);
    consul.server.wakeSpuriously();
    expect(index(await answered(watching, 100))).toBe(at);
  });
});

test('the same seed gives the same run', async () => {
  const run = async (): Promise<string> => {
    const time = new ManualClock();
    const random = seededRandom(42);
    const world = new FakeConsul({
      clock: time,
      random,
      latencyMillis: () => random.fraction() * 20,
    });
    const log: string[] = [];
    const clients = ['a', 'b', 'c'].map((memberName) =>
      world.connect({ scope: 's', namespace: 'x', memberName, sessionTtlMillis: 10_000 }),
    );
    world.intercept = () => (random.fraction() < 0.3 ? { kind: 'lose-reply' } : undefined);
    for (const [position, client] of clients.entries()) {
      void (async () => {
        for (let round = 0; round < 20; round += 1) {
          const answer = await client.commit(beat(round), 50);
          log.push(`${position} ${time.now().toFixed(3)} ${JSON.stringify(answer)}`);
        }
      })();
    }
    await time.advance(2000);
    expect(log).toHaveLength(60);
    return log.join('\n');
  };
  expect(await run()).toBe(await run());
});
