import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENDPOINTS } from '../../../src/api/endpoints.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createFakeAgent } from './fake-agent.ts';
import { createTestServer } from './harness.ts';

const LOGIN = { username: 'admin', password: new Secret('s3cret:x') };
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

const UNSAFE = ENDPOINTS.filter((endpoint) => endpoint.unsafe);

describe('access to the unsafe methods', () => {
  it.each(UNSAFE)('$method $paths.0 needs the credentials', async ({ method, paths }) => {
    const agent = createFakeAgent();
    const { app } = createTestServer(agent, { authentication: LOGIN });
    const url = paths[0] ?? '';
    const none = await app.inject({ method, url });
    expect(none.statusCode).toBe(401);
    expect(none.headers['www-authenticate']).toBe('Basic realm="Patroni"');
    expect(none.body).toContain('no auth header received');
    for (const wrong of [basic('admin:s3cret'), basic('admin'), 'Basic', 'Bearer x', basic('')]) {
      const answer = await app.inject({ method, url, headers: { authorization: wrong } });
      expect(answer.statusCode).toBe(401);
    }
    const right = await app.inject({
      method,
      url,
      headers: { authorization: basic('admin:s3cret:x') },
    });
    expect(right.statusCode).not.toBe(401);
    expect(agent.submitted.length).toBeLessThanOrEqual(1);
  });

  it('is asked for before the body is looked at', async () => {
    const { app } = createTestServer(createFakeAgent(), { authentication: LOGIN });
    const answer = await app.inject({ method: 'PATCH', url: '/config', payload: 'x'.repeat(2e6) });
    expect(answer.statusCode).toBe(401);
  });

  it('is not needed for reading', async () => {
    const { app } = createTestServer(createFakeAgent(), {
      authentication: LOGIN,
      allowlist: ['10.0.0.1'],
    });
    for (const endpoint of ENDPOINTS.filter((row) => !row.unsafe)) {
      for (const url of endpoint.paths) {
        expect([401, 403]).not.toContain((await app.inject(url)).statusCode);
      }
    }
  });

  it.each([
    [['10.1.1.1'], '10.1.1.1', 200],
    [['10.1.1.1'], '::ffff:10.1.1.1', 200],
    [['10.1.1.1'], '10.1.1.2', 403],
    [['10.0.0.0/8'], '10.200.0.1', 200],
    [['10.0.0.0/8'], '11.0.0.1', 403],
    [['fd00::/8'], 'fd12::1', 200],
    [['fd00::/8'], '2001:db8::1', 403],
    [['lb.example'], '10.1.1.1', 200],
    [['lb.example'], '10.1.1.2', 403],
    [['unknown.example', 'nonsense/99', '10.0.0.0/99'], '10.1.1.1', 403],
    [[], '10.1.1.1', 200],
  ])('allowlist %j lets %s through with %i', async (allowlist, remoteAddress, status) => {
    const { app } = createTestServer(createFakeAgent(), { allowlist });
    const answer = await app.inject({ method: 'POST', url: '/restart', remoteAddress });
    expect(answer.statusCode).toBe(status);
    if (status === 403) expect(answer.body).toContain('Access is denied');
  });

  it('lets the members through when told so, and promises from anywhere', async () => {
    const { app } = createTestServer(createFakeAgent(), { allowlistIncludeMembers: true });
    const from = (url: string, remoteAddress: string) =>
      app.inject({ method: 'POST', url, remoteAddress });
    expect((await from('/restart', '127.0.0.1')).statusCode).toBe(200);
    expect((await from('/restart', '10.9.9.9')).statusCode).toBe(403);
    expect((await from('/failsafe', '10.9.9.9')).statusCode).toBe(400);
  });
});

describe('requests', () => {
  it.each(['/nothing', '/primaryx', '/xprimary', '/primary/x', '//primary', '/constructor'])(
    '%s answers 404 with JSON',
    async (url) => {
      const answer = await createTestServer().app.inject(url);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ error: 'not-found' });
    },
  );

  it('a wrong method answers 405 and says which are right', async () => {
    const { app } = createTestServer();
    const answer = await app.inject({ method: 'POST', url: '/primary' });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS');
    const config = await app.inject({ method: 'POST', url: '/config' });
    expect(config.headers.allow).toBe('GET, PATCH, PUT, HEAD, OPTIONS');
  });

  it('a body beyond the bound answers 413', async () => {
    const payload = JSON.stringify({ leader: 'x'.repeat(1_100_000) });
    const answer = await createTestServer().app.inject({
      method: 'POST',
      url: '/switchover',
      payload,
    });
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({ error: 'bad-request' });
  });

  it('a broken URL answers 4xx with JSON', async () => {
    for (const url of ['/%', '/%E0%A4%A', `/${'a'.repeat(5000)}`]) {
      const answer = await createTestServer().app.inject(url);
      expect([400, 404, 414]).toContain(answer.statusCode);
      expect(answer.json()).toHaveProperty('error');
    }
  });

  it('a bug in the agent costs one answer, is logged, and is not told to the caller', async () => {
    const agent = createFakeAgent();
    agent.submit = () => Promise.reject(new Error('password=hunter2'));
    const { app, logger } = createTestServer(agent);
    const answer = await app.inject({ method: 'POST', url: '/reload' });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('hunter2');
    expect(logger.lines.map((line) => line.message)).toContain('request failed by a bug');
    agent.status = () => {
      throw new Error('bug');
    };
    expect((await app.inject('/primary')).statusCode).toBe(500);
    expect((await app.inject('/metrics')).statusCode).toBe(200);
  });

  it('logs commands without their bodies', async () => {
    const { app, logger } = createTestServer();
    const payload = JSON.stringify({
      postgresql: { parameters: { primary_conninfo: 'topsecret' } },
    });
    await app.inject({ method: 'PATCH', url: '/config', payload });
    await app.inject('/primary');
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatchObject({
      level: 'info',
      fields: { method: 'PATCH', path: '/config', status: 200 },
    });
    expect(JSON.stringify(logger.lines)).not.toContain('topsecret');
  });

  it('adds the configured headers, and as much of its name as is allowed', async () => {
    const shown = createTestServer(createFakeAgent(), { extraHeaders: { 'x-site': 'a' } });
    const answer = await shown.app.inject('/primary');
    expect(answer.headers).toMatchObject({ 'x-site': 'a', server: 'pgbaton/0.1.0' });
    const terse = createTestServer(createFakeAgent(), { serverTokens: 'productonly' });
    expect((await terse.app.inject('/nothing')).headers.server).toBe('pgbaton');
  });

  it('no request body makes an error of ours', async () => {
    const { app } = createTestServer();
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc
        .record(
          {
            leader: fc.jsonValue(),
            candidate: fc.jsonValue(),
            timeout: fc.jsonValue(),
            scope: fc.jsonValue(),
            ttl_ms: fc.jsonValue(),
            slots: fc.jsonValue(),
            force: fc.jsonValue(),
          },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...UNSAFE), body, async ({ method, paths }, payload) => {
        const answer = await app.inject({ method, url: paths[0] ?? '', payload });
        expect(answer.statusCode).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });

  it('no query makes an error of ours', async () => {
    const { app } = createTestServer();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const answer = await app.inject(
          `/replica?lag=${encodeURIComponent(text)}&tag_x=1&${encodeURI(text)}`,
        );
        expect(answer.statusCode).toBe(503);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the endpoint table', () => {
  it('names each path and method once', () => {
    const keys = ENDPOINTS.flatMap(({ method, paths }) => paths.map((path) => `${method} ${path}`));
    expect(new Set(keys).size).toBe(keys.length);
    expect(ENDPOINTS.every((endpoint) => endpoint.meaning.length > 10)).toBe(true);
  });

  it('is all that the server routes', async () => {
    const { app } = createTestServer();
    await app.ready();
    for (const { method, paths } of ENDPOINTS) {
      for (const url of paths) expect(app.hasRoute({ method, url })).toBe(true);
    }
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
    const paths = [...new Set(ENDPOINTS.flatMap((endpoint) => endpoint.paths))];
    const routed = paths.flatMap((url) =>
      methods.filter((method) => app.hasRoute({ method, url })),
    );
    expect(routed).toHaveLength(ENDPOINTS.flatMap((endpoint) => endpoint.paths).length);
  });

  it('leaves nothing that changes something unprotected', () => {
    expect(ENDPOINTS.filter((endpoint) => (endpoint.method !== 'GET') !== endpoint.unsafe)).toEqual(
      [],
    );
  });
});
