import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { StoreWrite } from '../../../src/ports/cluster-store.ts';
import {
  TOKEN,
  answer,
  recordingLogger,
  settingsFor,
  startScripted,
  storeOn,
} from './scripted-consul.ts';
import type { Script, ScriptedConsul } from './scripted-consul.ts';

/** For what never answers. */
const SHORT = 150;
/** For what does, on a busy machine too. */
const LONG = 5000;
/** What times out, does so in its own time; what answers is given more, or a busy machine is the timeout. */
const boundFor = (code: string): number => (code === 'timeout' ? SHORT : LONG);

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scripted(script: Script): Promise<ScriptedConsul> {
  const server = await startScripted(script);
  cleanups.push(() => server.close());
  return server;
}

function storeFor(servers: readonly { readonly port: number }[]): ReturnType<typeof storeOn> {
  const store = storeOn(servers.map((server) => server.port));
  cleanups.push(() => {
    store.close();
  });
  return store;
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

const write: StoreWrite = {
  guards: [
    { kind: 'index', key: 'generation', index: 7 },
    { kind: 'index', key: 'initialize', index: 0 },
    { kind: 'session', key: 'leader', session: 's1' },
  ],
  changes: [
    { kind: 'set', entry: { key: 'initialize', value: '123' } },
    { kind: 'delete', key: 'failover' },
    { kind: 'lock', entry: { key: 'leader', value: 'node1' }, session: 's1' },
  ],
};

const committed = {
  Results: [
    { KV: { Key: 'service/batman/initialize', ModifyIndex: 21, Value: null } },
    { KV: { Key: 'service/batman/leader', ModifyIndex: 21, Value: null } },
  ],
  Errors: null,
};

const INDEX = { 'x-consul-index': '9' };

const silent: Script = () => undefined;
const reset: Script = (_request, _response, socket) => {
  socket.resetAndDestroy();
};
const truncated: Script = (_request, response, socket) => {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': '1000',
    ...INDEX,
  });
  response.write('{"Results":[');
  setImmediate(() => socket.destroy());
};
const trickle: Script = (_request, response, socket) => {
  response.writeHead(200, { 'content-type': 'application/json', ...INDEX });
  const timer = setInterval(() => response.write(' '), 10);
  socket.on('close', () => {
    clearInterval(timer);
  });
};
const notHttp: Script = (_request, _response, socket) => {
  socket.end('SSH-2.0-OpenSSH\r\n');
};

describe('a commit', () => {
  test('is one transaction, guards first, with the token in its header', async () => {
    const server = await scripted(answer(200, committed));
    const done = await storeFor([server]).commit(write, LONG);
    expect(done).toEqual({
      kind: 'committed',
      indexes: { initialize: 21, leader: 21, failover: 0 },
    });
    expect(server.requests).toEqual(['PUT /v1/txn']);
    expect(server.headers[0]).toMatchObject({ 'x-consul-token': TOKEN });
    expect(JSON.parse(server.bodies[0] ?? '')).toEqual([
      { KV: { Verb: 'check-index', Key: 'service/batman/generation', Index: 7 } },
      { KV: { Verb: 'check-not-exists', Key: 'service/batman/initialize' } },
      { KV: { Verb: 'check-session', Key: 'service/batman/leader', Session: 's1' } },
      { KV: { Verb: 'set', Key: 'service/batman/initialize', Value: 'MTIz' } },
      { KV: { Verb: 'delete', Key: 'service/batman/failover' } },
      { KV: { Verb: 'lock', Key: 'service/batman/leader', Value: 'bm9kZTE=', Session: 's1' } },
    ]);
  });

  test('names every guard that did not hold, and a lock that did not', async () => {
    const server = await scripted(
      answer(409, {
        Results: null,
        Errors: [
          { OpIndex: 0, What: 'failed index check' },
          { OpIndex: 2, What: 'failed session check' },
          { OpIndex: 5, What: 'invalid session "s1"' },
        ],
      }),
    );
    expect(await storeFor([server]).commit(write, LONG)).toEqual({
      kind: 'refused',
      guards: [write.guards[0], write.guards[2]],
      lockFailed: true,
      reason: 'failed index check; failed session check; invalid session "s1"',
    });
  });

  test('is not done when Consul rejected it before proposing it', async () => {
    const rejections: readonly (readonly [number, unknown])[] = [
      [403, 'Permission denied'],
      [400, 'Failed to parse body'],
      [413, 'Request body too large'],
      [409, { Errors: [{ OpIndex: 0, What: 'Permission denied' }] }],
    ];
    for (const [status, body] of rejections) {
      const server = await scripted(answer(status, body));
      const answered = await storeFor([server]).commit(write, LONG);
      expect(answered, String(status)).toMatchObject({ kind: 'not-done' });
    }
  });

  test.each<readonly [string, Script, string]>([
    ['there is no leader', answer(500, 'No cluster leader'), 'no-leader'],
    ['leadership was lost', answer(500, 'leadership lost while committing log'), 'server-error'],
    ['a proxy gives up', answer(502, '<html>Bad Gateway</html>'), 'server-error'],
    ['nothing answers', silent, 'timeout'],
    ['the reply trickles', trickle, 'timeout'],
    ['the reply is cut off', truncated, 'timeout'],
    ['the connection is reset', reset, 'unreachable'],
    ['it is no HTTP', notHttp, 'unreachable'],
    ['it is redirected', answer(301, '', { location: 'http://127.0.0.1:1/' }), 'unintelligible'],
    ['200 comes with HTML', answer(200, '<html>hello</html>'), 'unintelligible'],
    ['200 comes with nothing', answer(200, ''), 'unintelligible'],
    ['200 comes with null', answer(200, null), 'unintelligible'],
    ['200 lacks a changed key', answer(200, { Results: [], Errors: null }), 'unintelligible'],
    ['200 comes with errors', answer(200, { ...committed, Errors: [{}] }), 'unintelligible'],
    [
      '200 is broken JSON',
      answer(200, '{"Results":', { 'content-type': 'application/json' }),
      'unintelligible',
    ],
    ['409 gives no reason', answer(409, 'conflict'), 'unintelligible'],
    ['404 comes from elsewhere', answer(404, 'not found'), 'server-error'],
  ])('is unknown and sent once when %s', async (_when, script, code) => {
    const server = await scripted(script);
    const started = performance.now();
    const answered = await storeFor([server]).commit(write, boundFor(code));
    expect(answered).toMatchObject({ kind: 'unknown', failure: { code } });
    expect(performance.now() - started).toBeLessThan(LONG);
    expect(server.requests).toHaveLength(1);
  });

  test('is not done when nobody listens, or the name is unknown', async () => {
    const store = storeFor([{ port: await deadPort() }]);
    expect(await store.commit(write, LONG)).toMatchObject({
      kind: 'not-done',
      failure: { code: 'unreachable' },
    });
    const settings = { ...settingsFor([]), addresses: [{ host: 'nowhere.invalid', port: 1 }] };
    const unnamed = storeOn([], { settings });
    cleanups.push(() => {
      unnamed.close();
    });
    expect(await unnamed.commit(write, 2000)).toMatchObject({ kind: 'not-done' });
  });

  test('goes to the next address only when it never left for the first', async () => {
    const server = await scripted(answer(200, committed));
    const store = storeFor([{ port: await deadPort() }, server]);
    expect(await store.commit(write, LONG)).toMatchObject({ kind: 'committed' });
    expect(server.requests).toHaveLength(1);
  });

  test('is not repeated elsewhere when it may have arrived, but the next request goes there', async () => {
    const first = await scripted(reset);
    const second = await scripted(answer(200, committed));
    const store = storeFor([first, second]);
    expect(await store.commit(write, LONG)).toMatchObject({ kind: 'unknown' });
    expect(second.requests).toHaveLength(0);
    expect(await store.commit(write, LONG)).toMatchObject({ kind: 'committed' });
    expect(first.requests).toHaveLength(1);
  });

  test('reuses its connection, and never waits behind a watch or another commit', async () => {
    const server = await scripted((request, response, socket) => {
      if (request.method === 'PUT') answer(200, committed)(request, response, socket);
    });
    const store = storeFor([server]);
    const stop = new AbortController();
    const watching = store.watch(5, 10_000, stop.signal);
    for (let round = 0; round < 5; round += 1) {
      expect(await store.commit(write, LONG)).toMatchObject({ kind: 'committed' });
    }
    expect(server.sockets.size).toBe(2);
    stop.abort();
    expect(await watching).toMatchObject({ kind: 'failed', failure: { code: 'cancelled' } });
  });
});

test('after a request without an answer no kept connection is trusted', async () => {
  let mute = false;
  const server = await scripted((request, response, socket) => {
    if (!mute) answer(200, committed)(request, response, socket);
  });
  const store = storeFor([server]);
  await Promise.all([1, 2, 3].map(() => store.commit(write, LONG)));
  expect(server.sockets.size).toBe(3);
  mute = true;
  expect(await store.commit(write, SHORT)).toMatchObject({ kind: 'unknown' });
  await expect.poll(() => [...server.sockets].filter((socket) => !socket.destroyed)).toEqual([]);
  mute = false;
  expect(await store.commit(write, LONG)).toMatchObject({ kind: 'committed' });
  expect(server.sockets.size).toBe(4);
});

describe('a read', () => {
  test('is consistent and covers the whole prefix', async () => {
    const body = [
      { Key: 'service/batman/leader', Value: 'bm9kZTE=', ModifyIndex: 8, Session: 's1' },
    ];
    const server = await scripted(answer(200, body, INDEX));
    expect(await storeFor([server]).read(LONG)).toMatchObject({
      kind: 'read',
      index: 9,
      record: { leader: { kind: 'present', index: 8, value: { member: 'node1', session: 's1' } } },
    });
    const url = new URL(server.requests[0]?.slice('GET '.length) ?? '', 'http://h');
    expect(decodeURIComponent(url.pathname)).toBe('/v1/kv/service/batman/');
    expect(url.searchParams.has('recurse')).toBe(true);
    expect(url.searchParams.has('consistent')).toBe(true);
  });

  test('of nothing is the empty cluster, with an index to watch from', async () => {
    const server = await scripted(answer(404, '', { 'x-consul-index': '0' }));
    expect(await storeFor([server]).read(LONG)).toMatchObject({
      kind: 'read',
      index: 1,
      record: { leader: { kind: 'absent' }, members: [] },
    });
  });

  test.each<readonly [string, Script, string]>([
    ['404 of something else', answer(404, 'no such page'), 'unintelligible'],
    ['an index that is none', answer(200, [], { 'x-consul-index': 'x' }), 'unintelligible'],
    ['HTML', answer(200, '<html>', INDEX), 'unintelligible'],
    ['a list of nothing', answer(200, [null], INDEX), 'unintelligible'],
    ['an object', answer(200, { a: 1 }, INDEX), 'unintelligible'],
    ['no permission', answer(403, 'Permission denied'), 'forbidden'],
    ['no leader', answer(500, 'No cluster leader'), 'no-leader'],
    ['silence', silent, 'timeout'],
    ['a trickle', trickle, 'timeout'],
    ['half a reply', truncated, 'timeout'],
    ['a reset', reset, 'unreachable'],
    ['another protocol', notHttp, 'unreachable'],
  ])('of %s is a failure', async (_what, script, code) => {
    const server = await scripted(script);
    const started = performance.now();
    const answered = await storeFor([server]).read(boundFor(code));
    expect(answered).toMatchObject({ kind: 'failed', failure: { code } });
    expect(performance.now() - started).toBeLessThan(LONG);
  });

  test('asks the next address within the same time', async () => {
    for (const script of [silent, reset, answer(500, 'No cluster leader')]) {
      const first = await scripted(script);
      const second = await scripted(answer(404, '', INDEX));
      const started = performance.now();
      expect(await storeFor([first, second]).read(2000)).toMatchObject({ kind: 'read' });
      expect(performance.now() - started).toBeLessThan(2000);
    }
  });

  test('repeats once at once when a kept connection turns out closed', async () => {
    let dropped = false;
    const server = await scripted((request, response, socket) => {
      if (dropped) answer(404, '', INDEX)(request, response, socket);
      else socket.resetAndDestroy();
      dropped = true;
    });
    expect(await storeFor([server]).read(LONG)).toMatchObject({ kind: 'read' });
    expect(server.requests).toHaveLength(2);
  });
});

describe('a watch', () => {
  test('asks with its index and wait, and without both for index 0', async () => {
    const server = await scripted(answer(404, '', { 'x-consul-index': '12' }));
    const store = storeFor([server]);
    const { signal } = new AbortController();
    expect(await store.watch(0, 500, signal)).toMatchObject({ kind: 'read', index: 12 });
    expect(await store.watch(12, 500, signal)).toMatchObject({ kind: 'read', index: 12 });
    const [first, second] = server.requests;
    expect(first).not.toContain('index=');
    expect(second).toContain('index=12');
    expect(second).toContain('wait=500ms');
  });

  test('starts over when the index went backwards', async () => {
    const server = await scripted(answer(404, '', { 'x-consul-index': '3' }));
    const { signal } = new AbortController();
    expect(await storeFor([server]).watch(12, 500, signal)).toMatchObject({
      kind: 'read',
      index: 0,
    });
  });

  test('ends at once when cancelled, before or during', async () => {
    const server = await scripted(silent);
    const store = storeFor([server]);
    const stop = new AbortController();
    const started = performance.now();
    const watching = store.watch(5, 60_000, stop.signal);
    await expect.poll(() => server.requests.length).toBe(1);
    stop.abort();
    expect(await watching).toMatchObject({ failure: { code: 'cancelled' } });
    expect(await store.watch(5, 60_000, stop.signal)).toMatchObject({
      failure: { code: 'cancelled' },
    });
    expect(performance.now() - started).toBeLessThan(LONG);
    expect(server.requests).toHaveLength(1);
  });

  test('ends with its store', async () => {
    const server = await scripted(silent);
    const store = storeFor([server]);
    const watching = store.watch(5, 60_000, new AbortController().signal);
    await expect.poll(() => server.requests.length).toBe(1);
    store.close();
    expect(await watching).toMatchObject({ kind: 'failed' });
  });
});

describe('a token', () => {
  test('appears in no failure and no log, even when a proxy echoes it', async () => {
    const echo = `you sent X-Consul-Token: ${TOKEN}`;
    const first = await scripted(answer(503, echo));
    const second = await scripted(answer(403, echo));
    const logger = recordingLogger();
    const store = storeOn([first.port, second.port], { logger });
    cleanups.push(() => {
      store.close();
    });
    const answers = [
      await store.commit(write, LONG),
      await store.commit(write, LONG),
      await store.read(LONG),
      await store.openSession(LONG),
    ];
    expect(JSON.stringify(answers)).toContain('[redacted]');
    expect(JSON.stringify(answers)).not.toContain(TOKEN);
    expect(logger.lines.join('\n')).not.toContain(TOKEN);
    expect(logger.lines.length).toBeGreaterThan(0);
  });
});
