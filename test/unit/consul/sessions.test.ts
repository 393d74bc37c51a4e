import { afterEach, describe, expect, test } from 'vitest';
import { minimumTtl } from '../../../src/adapters/consul/sessions.ts';
import { answer, recordingLogger, settingsFor, startScripted, storeOn } from './scripted-consul.ts';
import type { RecordingLogger, Script, ScriptedConsul } from './scripted-consul.ts';
import type { ConsulSettings } from '../../../src/core/service-settings.ts';

const TIMEOUT = 5000;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Setup {
  readonly server: ScriptedConsul;
  readonly store: ReturnType<typeof storeOn>;
  readonly logger: RecordingLogger;
}

/** `scripts` by the beginning of the path. */
async function setUp(
  scripts: Readonly<Record<string, Script>>,
  settings: Partial<ConsulSettings> = {},
): Promise<Setup> {
  const server = await startScripted((request, response, socket) => {
    const path = Object.keys(scripts).find((start) => request.url?.startsWith(start) === true);
    const script = path === undefined ? undefined : scripts[path];
    (script ?? answer(404, 'no script'))(request, response, socket);
  });
  const logger = recordingLogger();
  const store = storeOn([server.port], { logger, settings: settingsFor([server.port], settings) });
  cleanups.push(
    () => server.close(),
    () => {
      store.close();
    },
  );
  return { server, store, logger };
}

const registered = answer(200, { Results: [{ Node: { Node: 'x' } }], Errors: null });
const created = answer(200, { ID: 's-1' });

describe('opening a session', () => {
  test('puts it on a node of its own, without checks, deleting what it held', async () => {
    const { server, store } = await setUp({ '/v1/txn': registered, '/v1/session/create': created });
    expect(await store.openSession(TIMEOUT)).toEqual({
      kind: 'open',
      session: 's-1',
      ttlMillis: 10_000,
    });
    expect(server.bodies.map((body) => JSON.parse(body) as unknown)).toEqual([
      [{ Node: { Verb: 'set', Node: { Node: 'pgbaton-batman-node1', Address: '127.0.0.1' } } }],
      {
        LockDelay: '1ms',
        Name: 'batman-node1',
        Node: 'pgbaton-batman-node1',
        Checks: [],
        Behavior: 'delete',
        TTL: '10000ms',
      },
    ]);
  });

  test.each<readonly [string, Script]>([
    ['a conflict', answer(409, { Errors: [{ OpIndex: 0, What: 'Permission denied' }] })],
    ['403', answer(403, 'Permission denied')],
  ])(
    'stands on the local node when the other is forbidden by %s, and says so once',
    async (_by, script) => {
      const { server, store, logger } = await setUp({
        '/v1/txn': script,
        '/v1/session/create': created,
      });
      for (let round = 0; round < 2; round += 1) {
        expect(await store.openSession(TIMEOUT)).toMatchObject({ kind: 'open', session: 's-1' });
      }
      expect(JSON.parse(server.bodies[1] ?? '')).not.toHaveProperty('Node');
      expect(JSON.parse(server.bodies[1] ?? '')).toMatchObject({ Checks: [] });
      expect(logger.lines).toHaveLength(1);
      expect(logger.lines[0]).toContain('node \\"pgbaton-batman-node1\\" { policy = \\"write\\" }');
    },
  );

  test('falls back when only the session on that node is forbidden', async () => {
    const { server, store } = await setUp({
      '/v1/txn': registered,
      '/v1/session/create': (request, response, socket) => {
        const first = server.requests.length === 2;
        (first ? answer(403, 'Permission denied') : created)(request, response, socket);
      },
    });
    expect(await store.openSession(TIMEOUT)).toMatchObject({ kind: 'open' });
    expect(JSON.parse(server.bodies[2] ?? '')).not.toHaveProperty('Node');
  });

  test("uses the servers' own minimum from then on", async () => {
    const refusal = "Invalid Session TTL '10000000000', must be between [1m0s=24h0m0s]";
    const { server, store } = await setUp({
      '/v1/txn': registered,
      '/v1/session/create': (request, response, socket) => {
        const first = server.requests.length === 2;
        (first ? answer(500, refusal) : created)(request, response, socket);
      },
    });
    const open = { kind: 'open', session: 's-1', ttlMillis: 60_000 };
    expect(await store.openSession(TIMEOUT)).toEqual(open);
    expect(await store.openSession(TIMEOUT)).toEqual(open);
    expect(JSON.parse(server.bodies[2] ?? '')).toMatchObject({ TTL: '60000ms' });
    expect(server.requests).toHaveLength(5);
  });

  test('gives up on servers that accept no TTL at all', async () => {
    let seconds = 10;
    const { server, store } = await setUp({
      '/v1/txn': registered,
      '/v1/session/create': (request, response, socket) => {
        seconds += 10;
        const text = `Invalid Session TTL 'x', must be between [${seconds}s=24h0m0s]`;
        answer(500, text)(request, response, socket);
      },
    });
    expect(await store.openSession(TIMEOUT)).toMatchObject({ kind: 'failed' });
    expect(server.requests).toHaveLength(4);
  });

  test('with health checks of the operator stands on the local node, where those live', async () => {
    const { server, store } = await setUp({ '/v1/session/create': created }, { checks: ['disk'] });
    expect(await store.openSession(TIMEOUT)).toMatchObject({ kind: 'open' });
    expect(server.requests).toEqual(['PUT /v1/session/create']);
    expect(JSON.parse(server.bodies[0] ?? '')).toMatchObject({ Checks: ['disk'] });
  });

  test.each<readonly [string, Readonly<Record<string, Script>>]>([
    ['the node cannot be made', { '/v1/txn': answer(500, 'No cluster leader') }],
    ['it has no id', { '/v1/txn': registered, '/v1/session/create': answer(200, { x: 1 }) }],
    ['it is HTML', { '/v1/txn': registered, '/v1/session/create': answer(200, '<html>') }],
  ])('fails as a value when %s', async (_when, scripts) => {
    const { store } = await setUp(scripts);
    expect(await store.openSession(TIMEOUT)).toMatchObject({ kind: 'failed' });
  });
});

describe('renewing a session', () => {
  test('knows gone only from the words of Consul', async () => {
    const answers: readonly (readonly [Script, string])[] = [
      [answer(200, [{ ID: 's-1', TTL: '10000ms' }]), 'open'],
      [answer(404, "Session id 's-1' not found"), 'gone'],
      [answer(404, '<html>no such page</html>'), 'failed'],
      [answer(200, []), 'failed'],
      [answer(500, 'No cluster leader'), 'failed'],
    ];
    for (const [script, kind] of answers) {
      const { store } = await setUp({ '/v1/session/renew/s-1': script });
      expect(await store.renewSession('s-1', TIMEOUT)).toMatchObject({ kind });
    }
  });

  test('is bounded, and so is closing', async () => {
    const { store } = await setUp({ '/v1/session': () => undefined });
    const started = performance.now();
    expect(await store.renewSession('s-1', 100)).toMatchObject({ failure: { code: 'timeout' } });
    await store.closeSession('s-1', 100);
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

test.each([
  ["Invalid Session TTL '1000000000', must be between [10s=24h0m0s]", 10_000],
  ["Invalid Session TTL 'x', must be between [1m30s=24h0m0s]", 90_000],
  ["Invalid Session TTL 'x', must be between [500ms=24h0m0s]", 500],
  ['Invalid Session TTL', undefined],
  ['No cluster leader', undefined],
])('the minimum in %j', (text, millis) => {
  expect(minimumTtl(text)).toBe(millis);
});
