import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Secret } from '../../src/core/secret.ts';
import { indexOf, valueOf } from '../../src/core/cluster.ts';
import type { Lease } from '../../src/core/cluster.ts';
import { until } from '../../src/demo/wait.ts';
import type { ClusterStore, StoreWrite } from '../../src/ports/cluster-store.ts';
import { createToken } from '../harness/consul-acl.ts';
import { startTestConsul } from '../harness/servers.ts';
import type { TestConsul } from '../harness/servers.ts';
import { storeContract } from './store-contract.ts';
import { clientAgentOf, mustSucceed, realService, realStore } from './store-real-consul.ts';

const TIMEOUT = 5000;

storeContract('the Consul store on a real Consul', async () => {
  const { consul, close } = await startTestConsul();
  return {
    connect: (scope, memberName) => realStore(consul.addresses, { scope, memberName }),
    put: async (scope, key, value) => {
      const body = typeof value === 'string' ? value : Buffer.from(value);
      await mustSucceed(consul, `/v1/kv/service/${scope}/${key}`, { method: 'PUT', body });
    },
    destroySession: async (session) => {
      await mustSucceed(consul, `/v1/session/destroy/${session}`, { method: 'PUT' });
    },
    close,
  };
});

const lease = (beat: number): Lease => ({
  id: 'id-1',
  n: 1,
  incarnation: 'inc',
  beat,
  ttlMillis: 3000,
  released: undefined,
});

const lockLeader = (session: string): StoreWrite => ({
  guards: [],
  changes: [{ kind: 'lock', entry: { key: 'leader', value: 'node1' }, session }],
});

async function open(store: ClusterStore): Promise<string> {
  const answer = await store.openSession(TIMEOUT);
  if (answer.kind !== 'open') throw new Error(JSON.stringify(answer));
  return answer.session;
}

describe('a restart of the Consul agent beside the member', () => {
  let world: TestConsul;
  beforeAll(async () => {
    world = await startTestConsul();
  });
  afterAll(() => world.close());

  test('leaves the session and what it holds alone', async () => {
    const agent = await clientAgentOf(world);
    await agent.start();
    const store = realStore([agent.address], { scope: 'restart', memberName: 'node1' });
    const session = await open(store);
    expect(await store.commit(lockLeader(session), TIMEOUT)).toMatchObject({ kind: 'committed' });
    const created = await fetch(`http://${agent.address}/v1/session/create`, {
      method: 'PUT',
      body: '{"Name":"on-the-agents-node","Checks":[],"Behavior":"delete","TTL":"10s"}',
    });
    const plain = ((await created.json()) as { ID: string }).ID;
    await agent.stop();
    expect(await store.commit(lockLeader(session), TIMEOUT)).toMatchObject({ kind: 'not-done' });
    // The agent has left and its own node's sessions are gone; ours is not.
    await until(
      'the end of the plain session',
      async () => (await mustSucceed(world.consul, `/v1/session/info/${plain}`)) === '[]',
      { timeoutMillis: 20_000 },
    );
    await agent.start();
    expect(await store.renewSession(session, TIMEOUT)).toMatchObject({ kind: 'open', session });
    const read = await store.read(TIMEOUT);
    expect(read.kind === 'read' && valueOf(read.record.leader)).toEqual({
      member: 'node1',
      session,
    });
    store.close();
    await agent.stop();
  });
});

describe('with ACLs that deny by default', () => {
  let world: TestConsul;
  beforeAll(async () => {
    world = await startTestConsul({ acl: true });
  });
  afterAll(() => world.close());

  const tokenWith = async (name: string, rules: string): Promise<Secret> =>
    createToken(world.consul, name, rules);

  const write: StoreWrite = {
    guards: [],
    changes: [{ kind: 'set', entry: { key: 'lease', value: lease(1) } }],
  };

  test('a token without rights gets "forbidden", never "maybe"', async () => {
    const store = realStore(world.consul.addresses, {
      scope: 'acl',
      memberName: 'node1',
      token: await tokenWith('nothing', 'key_prefix "elsewhere/" { policy = "write" }'),
    });
    expect(await store.commit(write, TIMEOUT)).toMatchObject({
      kind: 'not-done',
      failure: { code: 'forbidden' },
    });
    expect(await store.openSession(TIMEOUT)).toMatchObject({
      kind: 'failed',
      failure: { code: 'forbidden' },
    });
    // Consul hides what may not be read instead of refusing: such a cluster looks empty.
    expect(await store.read(TIMEOUT)).toMatchObject({
      kind: 'read',
      record: { lease: { kind: 'absent' } },
    });
    store.close();
  });

  test('the documented rights suffice for everything', async () => {
    const logged: string[] = [];
    const store = realStore(world.consul.addresses, {
      scope: 'acl',
      memberName: 'node1',
      token: await tokenWith(
        'member',
        `key_prefix "service/acl/" { policy = "write" }
         node_prefix "pgbaton-acl-" { policy = "write" }
         session_prefix "pgbaton-acl-" { policy = "write" }`,
      ),
      logger: { log: (_level, message) => logged.push(message) },
    });
    const session = await open(store);
    expect(await store.commit(lockLeader(session), TIMEOUT)).toMatchObject({ kind: 'committed' });
    expect(await store.renewSession(session, TIMEOUT)).toMatchObject({ kind: 'open' });
    expect(await store.read(TIMEOUT)).toMatchObject({ kind: 'read' });
    await store.closeSession(session, TIMEOUT);
    expect(logged).toEqual([]);
    store.close();
  });

  test("Patroni's rights suffice too, with a warning that names the missing one", async () => {
    const logged: string[] = [];
    const store = realStore(world.consul.addresses, {
      scope: 'acl',
      memberName: 'node2',
      token: await tokenWith(
        'patroni',
        `key_prefix "service/acl/" { policy = "write" }
         session_prefix "consul" { policy = "write" }`,
      ),
      logger: { log: (_level, message, fields) => logged.push(message, JSON.stringify(fields)) },
    });
    const session = await open(store);
    expect(await store.renewSession(session, TIMEOUT)).toMatchObject({ kind: 'open' });
    expect(logged).toHaveLength(2);
    expect(logged[1]).toContain('pgbaton-acl-node2');
    store.close();
  });
});

describe('three servers', () => {
  let world: TestConsul;
  beforeAll(async () => {
    world = await startTestConsul({ servers: 3 });
  });
  afterAll(() => world.close());

  test('a chain of guarded beats stays a chain through the death of the leading server', async () => {
    const { consul } = world;
    const store = realStore(consul.addresses, { scope: 'chain', memberName: 'node1' });
    let index = 0;
    let beat = 0;
    let confirmed = 0;
    /** As the agent does it: one beat; after anything but a yes a read settles what is there. */
    const attempt = async (): Promise<boolean> => {
      beat += 1;
      const answer = await store.commit(
        {
          guards: [{ kind: 'index', key: 'lease', index }],
          changes: [{ kind: 'set', entry: { key: 'lease', value: lease(beat) } }],
        },
        500,
      );
      if (answer.kind === 'committed') {
        index = answer.indexes['lease'] ?? 0;
        confirmed += 1;
        return true;
      }
      const read = await store.read(500);
      if (read.kind !== 'read') return false;
      // What was confirmed is never lost, whatever happened to the rest.
      expect(indexOf(read.record.lease)).toBeGreaterThanOrEqual(index);
      expect(valueOf(read.record.lease)?.beat ?? 0).toBeLessThanOrEqual(beat);
      index = indexOf(read.record.lease);
      return false;
    };
    const beatUntil = (count: number): Promise<unknown> =>
      until(`${count} confirmed beats`, async () => (await attempt()) && confirmed >= count, {
        timeoutMillis: 30_000,
        intervalMillis: 1,
      });
    await beatUntil(20);
    const leader = await consul.leader();
    await leader.kill();
    const killedAt = performance.now();
    await until('a beat after the election', attempt, { timeoutMillis: 30_000, intervalMillis: 1 });
    const gapMillis = Math.round(performance.now() - killedAt);
    await beatUntil(confirmed + 20);
    const read = await store.read(TIMEOUT);
    expect(read.kind === 'read' && indexOf(read.record.lease)).toBe(index);
    // With raft_multiplier 1 an election is over well before the hold of 7 s.
    expect(gapMillis).toBeLessThan(15_000);
    store.close();
  });
});

describe('a Consul that is gone', () => {
  test('is told apart: never sent, and sent without an answer', async () => {
    const world = await startTestConsul();
    const store = realStore(world.consul.addresses, { scope: 'gone', memberName: 'node1' });
    const write: StoreWrite = {
      guards: [],
      changes: [{ kind: 'set', entry: { key: 'lease', value: lease(1) } }],
    };
    expect(await store.commit(write, TIMEOUT)).toMatchObject({ kind: 'committed' });
    const [server] = world.consul.servers;
    server?.process.signal('SIGSTOP');
    expect(await store.commit(write, 300)).toMatchObject({
      kind: 'unknown',
      failure: { code: 'timeout' },
    });
    server?.process.signal('SIGCONT');
    await server?.kill();
    expect(await store.commit(write, TIMEOUT)).toMatchObject({
      kind: 'not-done',
      failure: { code: 'unreachable' },
    });
    store.close();
    await world.close();
  });
});

describe('a service of the local agent', () => {
  test('appears in the catalog with its tags, and goes again', async () => {
    const world = await startTestConsul();
    const service = realService(world.consul.addresses, { scope: 'my_db', memberName: 'node1' });
    const facts = {
      role: 'primary',
      state: 'running',
      connUrl: 'postgres://127.0.0.1:5433/postgres',
      apiUrl: 'http://127.0.0.1:8008/patroni',
    };
    expect(await service.publish(facts, TIMEOUT)).toMatchObject({ ok: true });
    const listed = async (): Promise<unknown> =>
      JSON.parse(await mustSucceed(world.consul, '/v1/agent/services')) as unknown;
    expect(await listed()).toMatchObject({
      'my_db/node1': {
        Service: 'my-db',
        Port: 5433,
        Tags: ['primary', 'master'],
        EnableTagOverride: true,
      },
    });
    const checks = await mustSucceed(world.consul, '/v1/health/checks/my-db');
    expect(JSON.parse(checks)).toMatchObject([{ ServiceID: 'my_db/node1' }]);
    expect(await service.withdraw(TIMEOUT)).toMatchObject({ ok: true });
    expect(await listed()).toEqual({});
    service.close();
    await world.close();
  });
});
