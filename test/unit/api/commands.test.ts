import { describe, expect, it } from 'vitest';
import type { Command, CommandAnswer } from '../../../src/agent/facade.ts';
import { commandDocument } from '../../../src/wire/rest/commands.ts';
import { CLUSTER, createFakeAgent, present, type FakeAgent } from './fake-agent.ts';
import { createTestServer } from './harness.ts';

type Method = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

function send(
  agent: FakeAgent,
  method: Method,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  return createTestServer(agent).app.inject({
    method,
    url,
    headers,
    ...(body === undefined ? {} : { payload }),
  });
}

const ANSWERS: Readonly<Record<string, CommandAnswer>> = {
  done: { kind: 'done', message: 'it is done', details: { write_gap_ms: 42 } },
  accepted: { kind: 'accepted', message: 'it will be done' },
  failed: { kind: 'failed', message: 'it failed' },
  precondition: { kind: 'refused', cause: 'precondition', message: 'not now' },
  invalid: { kind: 'refused', cause: 'invalid', message: 'never' },
  busy: { kind: 'refused', cause: 'busy', message: 'restart already in progress' },
  conflict: { kind: 'refused', cause: 'conflict', message: 'somebody was faster' },
  'not-configured': { kind: 'refused', cause: 'not-configured', message: 'there is no such' },
};

interface Row {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  readonly codes: Readonly<Record<string, number>>;
}

const COMMON = {
  done: 200,
  accepted: 202,
  failed: 503,
  precondition: 503,
  invalid: 400,
  busy: 503,
  conflict: 409,
  'not-configured': 503,
};

const ROWS: readonly Row[] = [
  {
    method: 'POST',
    path: '/switchover',
    body: { leader: 'pg1' },
    codes: { ...COMMON, precondition: 412 },
  },
  {
    method: 'POST',
    path: '/failover',
    body: { candidate: 'pg2' },
    codes: { ...COMMON, precondition: 412 },
  },
  { method: 'POST', path: '/restart', codes: COMMON },
  { method: 'POST', path: '/reload', codes: { ...COMMON, done: 202 } },
  { method: 'POST', path: '/reinitialize', codes: { ...COMMON, accepted: 200 } },
  { method: 'PATCH', path: '/config', body: { ttl: 20 }, codes: COMMON },
  { method: 'PUT', path: '/config', body: { ttl: 20 }, codes: { ...COMMON, failed: 502 } },
];

const CASES = ROWS.flatMap((row) =>
  Object.entries(row.codes).map(([outcome, status]) => ({ ...row, outcome, status })),
);

describe('commands', () => {
  it.each(CASES)('$method $path answers $status when $outcome', async (row) => {
    const agent = createFakeAgent();
    agent.answer = ANSWERS[row.outcome] ?? agent.answer;
    const answer = await send(agent, row.method, row.path, row.body);
    expect(answer.statusCode).toBe(row.status);
    if (row.path !== '/config' || row.outcome !== 'done') {
      expect(answer.body).toBe(agent.answer.message);
      expect(answer.headers['content-type']).toContain('text/plain');
    }
  });

  it('answer with details to those who ask for JSON', async () => {
    const agent = createFakeAgent();
    agent.answer = {
      kind: 'done',
      message: 'Successfully switched over to "pg2"',
      details: { leader: 'pg2', write_gap_ms: 730 },
    };
    const json = { accept: 'application/json' };
    const answer = await send(agent, 'POST', '/switchover', { leader: 'pg1' }, json);
    expect(commandDocument.parse(answer.json())).toEqual({
      outcome: 'done',
      message: 'Successfully switched over to "pg2"',
      details: { leader: 'pg2', write_gap_ms: 730 },
    });
    agent.answer = { kind: 'refused', cause: 'busy', message: 'clone runs' };
    const refused = await send(agent, 'POST', '/restart', {}, json);
    expect(refused.json()).toEqual({ outcome: 'refused', cause: 'busy', message: 'clone runs' });
  });

  const NO_FILTER: Command = {
    kind: 'restart',
    onlyIfPending: false,
    onlyIfRole: undefined,
    onlyIfVersionBelow: undefined,
    timeoutMillis: undefined,
  };

  it.each<[string, Method, string, unknown, Command]>([
    [
      'a leader',
      'POST',
      '/switchover',
      { leader: 'a' },
      { kind: 'switchover', leader: 'a', candidate: undefined },
    ],
    [
      'a leader and candidate',
      'POST',
      '/switchover',
      { leader: 'a', candidate: 'b' },
      { kind: 'switchover', leader: 'a', candidate: 'b' },
    ],
    [
      'the old name of the candidate',
      'POST',
      '/switchover',
      { leader: 'a', member: 'b' },
      { kind: 'switchover', leader: 'a', candidate: 'b' },
    ],
    [
      'nulls and unknown keys',
      'POST',
      '/switchover',
      { leader: 'a', candidate: null, scheduled_at: null, x: 1 },
      { kind: 'switchover', leader: 'a', candidate: undefined },
    ],
    ['a candidate', 'POST', '/failover', { candidate: 'b' }, { kind: 'failover', candidate: 'b' }],
    [
      'a failover that names the leader',
      'POST',
      '/failover',
      { leader: 'a', candidate: 'b' },
      { kind: 'switchover', leader: 'a', candidate: 'b' },
    ],
    ['an empty object', 'POST', '/restart', {}, NO_FILTER],
    ['no body', 'POST', '/restart', undefined, NO_FILTER],
    [
      'restart_pending',
      'POST',
      '/restart',
      { restart_pending: true },
      { ...NO_FILTER, onlyIfPending: true },
    ],
    ['restart_pending: false', 'POST', '/restart', { restart_pending: false }, NO_FILTER],
    [
      'all filters',
      'POST',
      '/restart',
      { role: 'master', postgres_version: '15.2', timeout: '2min' },
      { ...NO_FILTER, onlyIfRole: 'primary', onlyIfVersionBelow: '15.2', timeoutMillis: 120_000 },
    ],
    [
      'a timeout in seconds',
      'POST',
      '/restart',
      { timeout: 30 },
      { ...NO_FILTER, timeoutMillis: 30_000 },
    ],
    ['no body', 'POST', '/reload', undefined, { kind: 'reload' }],
    [
      'no body',
      'POST',
      '/reinitialize',
      undefined,
      { kind: 'reinitialize', force: false, fromLeader: false },
    ],
    [
      'force',
      'POST',
      '/reinitialize',
      { force: true, from_leader: true },
      { kind: 'reinitialize', force: true, fromLeader: true },
    ],
    [
      'from-leader',
      'POST',
      '/reinitialize',
      { 'from-leader': true },
      { kind: 'reinitialize', force: false, fromLeader: true },
    ],
    [
      'a patch',
      'PATCH',
      '/config',
      { ttl: null, a: { b: [1] } },
      { kind: 'patch-config', patch: { ttl: null, a: { b: [1] } } },
    ],
    [
      'a configuration',
      'PUT',
      '/config',
      { ttl: 20 },
      { kind: 'replace-config', config: { ttl: 20 } },
    ],
  ])('%s: %s %s %j becomes the command', async (_title, method, path, body, command) => {
    const agent = createFakeAgent();
    await send(agent, method, path, body);
    expect(agent.submitted).toEqual([command]);
  });

  it('take JSON whatever its content type says', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json']) {
      const agent = createFakeAgent();
      await send(agent, 'POST', '/switchover', { leader: 'a' }, { 'content-type': type });
      expect(agent.submitted).toHaveLength(1);
    }
  });

  it.each<[Method, string, unknown, string]>([
    ['POST', '/switchover', undefined, 'no body'],
    ['POST', '/switchover', '', 'no body'],
    ['POST', '/switchover', '{', 'not valid JSON'],
    ['POST', '/switchover', 'null', 'no JSON object'],
    ['POST', '/switchover', '[]', 'no JSON object'],
    ['POST', '/switchover', '"leader"', 'no JSON object'],
    ['POST', '/switchover', {}, 'empty object'],
    ['POST', '/switchover', { candidate: 'b' }, 'only from a specific leader'],
    ['POST', '/switchover', { leader: 1 }, 'leader'],
    ['POST', '/switchover', { leader: 'a', candidate: 'a' }, 'target and source are the same'],
    [
      'POST',
      '/switchover',
      { leader: 'a', scheduled_at: '2030-01-01T00:00:00+00:00' },
      'scheduled actions are not supported yet',
    ],
    ['POST', '/failover', { leader: 'a' }, 'only to a specific candidate'],
    ['POST', '/failover', { candidate: ['b'] }, 'candidate'],
    ['POST', '/restart', '{"timeout"', 'not valid JSON'],
    ['POST', '/restart', { timeout: 0 }, 'Timeout should be a positive number of seconds'],
    ['POST', '/restart', { timeout: 'soon' }, 'Timeout should be a positive number of seconds'],
    ['POST', '/restart', { role: 'king' }, 'PostgreSQL role should be either'],
    ['POST', '/restart', { postgres_version: '15' }, 'expected a version like'],
    [
      'POST',
      '/restart',
      { schedule: '2030-01-01T00:00:00+00:00' },
      'scheduled actions are not supported yet',
    ],
    ['POST', '/restart', { rolle: 'primary' }, 'rolle'],
    ['POST', '/reinitialize', { force: 'yes' }, 'force'],
    ['PATCH', '/config', undefined, 'no body'],
    ['PATCH', '/config', {}, 'empty object'],
    ['PATCH', '/config', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'deep nesting'],
    ['PATCH', '/config', '{"ttl":99999999999999999999}', 'huge integers'],
    ['PUT', '/config', '[1]', 'no JSON object'],
  ])('%s %s %j answers 400 and reaches nobody', async (method, path, body, reason) => {
    const agent = createFakeAgent();
    const answer = await send(agent, method, path, body);
    expect(answer.statusCode).toBe(400);
    expect(answer.body).toContain(reason);
    expect(agent.submitted).toEqual([]);
  });

  it('PATCH /config answers with the whole new configuration', async () => {
    const agent = createFakeAgent();
    agent.answer = { kind: 'done', message: 'changed', details: { ttl: 20, loop_wait: 5 } };
    const answer = await send(agent, 'PATCH', '/config', { ttl: 20 });
    expect(answer.json()).toEqual({ ttl: 20, loop_wait: 5 });
  });

  it('PUT /config echoes the request', async () => {
    const answer = await send(createFakeAgent(), 'PUT', '/config', { ttl: 25 });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ ttl: 25 });
  });

  it('DELETE /switchover does not deny what another tool has scheduled', async () => {
    const agent = createFakeAgent();
    const failover = present({ leader: 'pg1', candidate: undefined, scheduledAt: '2030-01-01' });
    agent.record = { record: { ...CLUSTER, failover }, ageMillis: 1 };
    const answer = await send(agent, 'DELETE', '/switchover');
    expect(answer.statusCode).toBe(503);
    expect(answer.body).toContain('delete the key failover');
  });

  it.each([
    ['/switchover', 'no failover is scheduled'],
    ['/failover', 'no failover is scheduled'],
    ['/restart', 'no restarts are scheduled'],
  ])('DELETE %s answers 404', async (path, message) => {
    const answer = await send(createFakeAgent(), 'DELETE', path);
    expect([answer.statusCode, answer.body]).toEqual([404, message]);
  });
});
