import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApi } from '../../../src/api/create-api.ts';
import type { Api } from '../../../src/api/create-api.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createCertificates } from '../api/certificates.ts';
import type { Certificates } from '../api/certificates.ts';
import { REST, createFakeAgent, recordingLogger } from '../api/fake-agent.ts';
import type { FakeAgent } from '../api/fake-agent.ts';
import { Bench } from './bench.ts';
import type { Ran } from './bench.ts';

let certificates: Certificates;
let bench: Bench;
let agent: FakeAgent;
let api: Api;

beforeAll(() => {
  certificates = createCertificates();
});
afterAll(() => certificates.remove());

beforeEach(async () => {
  bench = await Bench.start();
  agent = createFakeAgent();
  api = createApi({
    agent,
    settings: {
      ...REST,
      listenHost: '127.0.0.1',
      listenPort: 0,
      authentication: { username: 'admin', password: new Secret('s3cret') },
      certfile: certificates.server.cert,
      keyfile: certificates.server.key,
      cafile: certificates.ca,
      verifyClient: 'optional',
    },
    metrics: { text: () => Promise.resolve('') },
    logger: recordingLogger(),
  });
  const listening = await api.listen();
  if (!listening.ok) throw new Error(listening.error.message);
  bench.publish('pg1', 1, {
    role: 'primary',
    api_url: `https://127.0.0.1:${listening.value.port}/patroni`,
  });
  bench.consul.set('demo/leader', 'pg1');
});
afterEach(async () => {
  await api.close();
  await bench.stop();
});

const trusted = (): string[] => [
  `cacert: ${certificates.ca}`,
  `certfile: ${certificates.client.cert}`,
  `keyfile: ${certificates.client.key}`,
  'authentication: {username: admin, password: s3cret}',
];

async function run(argv: readonly string[], ctl: readonly string[] = trusted()): Promise<Ran> {
  const file = join(bench.home, 'ctl.yml');
  await writeFile(file, `scope: demo\nctl:\n${ctl.map((line) => `  ${line}\n`).join('')}`);
  return bench.run(['-c', file, ...argv]);
}

const SWITCHOVER = ['switchover', '--candidate', 'node2', '--force'];

describe('with the API of the agent, over TLS with a client certificate', () => {
  test('switchover reaches the agent, and its details come back', async () => {
    const message = 'Successfully switched over to "node2"';
    agent.answer = { kind: 'done', message, details: { write_gap_ms: 180 } };
    const { code, out } = await run(SWITCHOVER);
    expect(code).toBe(0);
    expect(agent.submitted).toEqual([{ kind: 'switchover', leader: 'pg1', candidate: 'node2' }]);
    expect(out).toContain(`${message} (no writes for 180 ms)`);
  });

  test.each([
    ['precondition', 'node2 lags'],
    ['busy', 'a restart is already in progress'],
  ] as const)('a refusal for "%s" exits 1 with its reason', async (cause, message) => {
    agent.answer = { kind: 'refused', cause, message };
    const { code, err } = await run(SWITCHOVER);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });

  test('restart, reload and reinit arrive as they were meant', async () => {
    expect((await run(['restart', 'pg1', '--timeout', '60', '--force'])).code).toBe(0);
    expect((await run(['reload', 'pg1', '--force'])).code).toBe(0);
    expect((await run(['reinit', 'pg1', '--from-leader', '--force'])).code).toBe(0);
    expect(agent.submitted).toEqual([
      {
        kind: 'restart',
        onlyIfPending: false,
        onlyIfRole: undefined,
        onlyIfVersionBelow: undefined,
        timeoutMillis: 60_000,
      },
      { kind: 'reload' },
      { kind: 'reinitialize', force: true, fromLeader: true },
    ]);
  });

  test('explain and version understand its documents', async () => {
    const explained = await run(['explain', 'pg1']);
    expect(explained.code).toBe(0);
    expect(explained.out).toContain('R420 hold-the-lease, for 1 s');
    const version = await run(['version', 'demo', 'pg1']);
    expect(version.code).toBe(0);
    expect(version.out).toContain('pg1: pgbaton ');
    expect(version.out).toContain(' PostgreSQL 15.20');
  });

  test('edit-config patches, and what the agent refuses is told', async () => {
    agent.answer = { kind: 'done', message: 'ok', details: { config: { ttl: 10 } } };
    expect((await run(['edit-config', '-s', 'ttl=10', '--force'])).code).toBe(0);
    expect(agent.submitted).toEqual([{ kind: 'patch-config', patch: { ttl: 10 } }]);
    agent.answer = { kind: 'refused', cause: 'invalid', message: 'ttl must be at least 3' };
    const refused = await run(['edit-config', '-s', 'ttl=1', '--force']);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('ttl must be at least 3');
  });

  test('a wrong password is a refusal with a hint', async () => {
    const ctl = [...trusted().slice(0, 3), 'authentication: {username: admin, password: nope}'];
    const { code, err } = await run(SWITCHOVER, ctl);
    expect(code).toBe(1);
    expect(err).toContain('ctl.authentication');
    expect(err).not.toContain('nope');
    expect(agent.submitted).toEqual([]);
  });

  test('no client certificate is a refusal with a hint', async () => {
    const { code, err } = await run(SWITCHOVER, [trusted()[0] ?? '', trusted()[3] ?? '']);
    expect(code).toBe(1);
    expect(err).toContain('ctl.certfile');
  });

  test('another authority is not trusted, and nothing is sent', async () => {
    const ctl = [`cacert: ${certificates.otherCa}`, ...trusted().slice(1)];
    const { code, err } = await run(SWITCHOVER, ctl);
    expect(code).toBe(3);
    expect(err).toContain('no trusted TLS connection to pg1');
    expect(agent.submitted).toEqual([]);
  });

  test('--insecure skips the check', async () => {
    const ctl = [`cacert: ${certificates.otherCa}`, ...trusted().slice(1)];
    expect((await run([...SWITCHOVER, '-k'], ctl)).code).toBe(0);
  });
});
