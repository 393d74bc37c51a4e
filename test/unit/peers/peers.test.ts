import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createPeers,
  type PeersSettings,
  type RestPeers,
} from '../../../src/adapters/peers/create-peers.ts';
import { callPeer } from '../../../src/adapters/peers/request.ts';
import { createApi } from '../../../src/api/create-api.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { instant } from '../../../src/core/time.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { RestApiSettings } from '../../../src/core/service-settings.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { PeerAddress, PromiseRequest } from '../../../src/ports/peers.ts';
import { createCertificates, type Certificates } from '../api/certificates.ts';
import { createFakeAgent, PEER, recordingLogger, REST, type FakeAgent } from '../api/fake-agent.ts';

const PROMPT_MILLIS = 5000;

const clock: Clock = {
  now: () => instant(performance.now()),
  wall: () => Date.now(),
  timer: (delay, callback) => {
    const timer = setTimeout(callback, delay);
    return () => {
      clearTimeout(timer);
    };
  },
};

const NO_TLS: PeersSettings['tls'] = {
  cacert: undefined,
  certfile: undefined,
  keyfile: undefined,
  keyfilePassword: undefined,
  insecure: false,
};
const OPEN: PeersSettings = { authentication: undefined, tls: NO_TLS };

const REQUEST: PromiseRequest = {
  scope: 'demo',
  name: 'pg9',
  leaseId: 'g7',
  n: 7,
  timeline: 9,
  ttlMillis: 3000,
  reachMillis: 15_000,
  request: 12,
  connUrl: 'postgres://127.0.0.1:5432/postgres',
  apiUrl: 'http://127.0.0.1:8008/patroni',
  slots: { pg1: lsn(9_223_372_036_854_775_807n) },
};

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

let certificates: Certificates;
beforeAll(() => {
  certificates = createCertificates();
});
afterAll(() => {
  certificates.remove();
});

async function peersWith(settings: PeersSettings = OPEN, scope = 'demo'): Promise<RestPeers> {
  const logger = recordingLogger();
  const peers = await createPeers({ scope, selfName: 'pg9', settings, clock, logger });
  if (!peers.ok) throw new Error(peers.error.message);
  cleanups.push(() => peers.value.close());
  return peers.value;
}

/** A member that listens: the real API over an agent that says what the test told it to. */
async function member(
  settings: Partial<RestApiSettings> = {},
  agent: FakeAgent = createFakeAgent(),
): Promise<{ readonly address: PeerAddress; readonly agent: FakeAgent }> {
  const api = createApi({
    agent,
    settings: { ...REST, ...settings },
    metrics: { text: () => Promise.resolve('') },
    logger: recordingLogger(),
  });
  cleanups.push(() => api.close());
  const listening = await api.listen();
  if (!listening.ok) throw new Error(listening.error.message);
  const scheme = settings.certfile === undefined ? 'http' : 'https';
  const apiUrl = `${scheme}://127.0.0.1:${listening.value.port}/patroni`;
  return { address: { name: 'pg1', apiUrl }, agent };
}

/** Something else that listens: answers whatever it is told to. */
async function impostor(
  answer: (server: Server, url: string) => { status: number; body: string } | 'nothing',
) {
  let requests = 0;
  const server: Server = createServer((request, response) => {
    requests += 1;
    const said = answer(server, request.url ?? '');
    if (said === 'nothing') return;
    response.writeHead(said.status, { 'content-type': 'application/json' });
    response.end(said.body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  const { port } = server.address() as AddressInfo;
  const address: PeerAddress = { name: 'pg1', apiUrl: `http://127.0.0.1:${port}/patroni` };
  return { address, server, requests: () => requests };
}

describe('a report', () => {
  it('arrives as the other agent gave it', async () => {
    const { address } = await member();
    const peers = await peersWith();
    expect(await peers.report(address, PROMPT_MILLIS)).toEqual({ ok: true, value: PEER });
  });

  it.each([
    ['another member', 'demo', { name: 'pg2' }],
    ['another cluster', 'prod', { name: 'pg1' }],
  ])('of %s at that address counts for nothing', async (_title, scope, { name }) => {
    const { address } = await member();
    const peers = await peersWith(OPEN, scope);
    const answer = await peers.report({ ...address, name }, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code: 'wrong-peer' } });
  });

  it.each([
    ['no JSON', { status: 200, body: '<html>' }, 'unintelligible'],
    ['an empty object', { status: 200, body: '{}' }, 'unintelligible'],
    ['a page without end', { status: 200, body: 'x'.repeat(100_000) }, 'unintelligible'],
    ['an error', { status: 500, body: '{"error":"x","message":"it broke"}' }, 'peer-refused'],
    ['what Patroni says', { status: 503, body: '{"state":"running"}' }, 'peer-refused'],
  ])('%s is a failure', async (_title, said, code) => {
    const { address } = await impostor(() => said);
    const peers = await peersWith();
    const answer = await peers.report(address, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code } });
  });

  it('that does not come in time is a timeout, and holds nobody up', async () => {
    const silent = await impostor(() => 'nothing');
    const { address } = await member();
    const peers = await peersWith();
    const started = performance.now();
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, () => peers.report(silent.address, 200)),
      peers.report(address, PROMPT_MILLIS),
    ]);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.error.code))).toEqual([
      ...Array.from({ length: 8 }, () => 'peer-timeout'),
      'ok',
    ]);
  });

  it('from nobody is a failure', async () => {
    const gone = await impostor(() => 'nothing');
    await new Promise((resolve) => {
      gone.server.close(resolve);
    });
    const peers = await peersWith();
    expect(await peers.report(gone.address, PROMPT_MILLIS)).toMatchObject({
      ok: false,
      error: { code: 'peer-unreachable' },
    });
    for (const apiUrl of ['', 'nonsense', 'file:///etc/passwd']) {
      const answer = await peers.report({ name: 'pg1', apiUrl }, PROMPT_MILLIS);
      expect(answer).toMatchObject({ ok: false, error: { code: 'peer-address' } });
    }
  });

  it('survives that the other side has closed the kept connection', async () => {
    let closeNext = false;
    const flaky = await impostor((server) => {
      if (closeNext) {
        closeNext = false;
        server.closeAllConnections();
        return 'nothing';
      }
      return { status: 503, body: '{"error":"x","message":"asked"}' };
    });
    const peers = await peersWith();
    await peers.report(flaky.address, PROMPT_MILLIS);
    closeNext = true;
    const answer = await peers.report(flaky.address, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code: 'peer-refused' } });
    expect(flaky.requests()).toBe(3);
  });
});

describe('a promise', () => {
  it('is asked for with all that the voter needs, and comes back whole', async () => {
    const agent = createFakeAgent();
    agent.reply = {
      kind: 'promised',
      name: 'pg1',
      incarnation: 'i1',
      leaseId: 'g7',
      request: 12,
      seenLeaseId: undefined,
      storeSilent: false,
    };
    const { address } = await member({}, agent);
    const peers = await peersWith();
    const answer = await peers.promise(address, REQUEST, PROMPT_MILLIS);
    expect(answer).toEqual({ ok: true, value: agent.reply });
    expect(agent.promised).toEqual([REQUEST]);
  });

  it('that is refused says why', async () => {
    const agent = createFakeAgent();
    agent.reply = { kind: 'refused', why: 'I hold a lease' };
    const { address } = await member({}, agent);
    const peers = await peersWith();
    const answer = await peers.promise(address, REQUEST, PROMPT_MILLIS);
    expect(answer).toEqual({ ok: true, value: { kind: 'refused', why: 'I hold a lease' } });
  });

  it('to a leader of another cluster is not even asked of the agent', async () => {
    const { address, agent } = await member();
    const peers = await peersWith();
    const answer = await peers.promise(address, { ...REQUEST, scope: 'prod' }, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code: 'peer-refused' } });
    expect(agent.promised).toEqual([]);
  });

  const said = {
    kind: 'promised',
    scope: 'demo',
    name: 'pg1',
    incarnation: 'i1',
    lease_id: 'g7',
    request: 12,
    seen_lease_id: null,
  };

  it.each([
    ['another member', { name: 'pg2' }, 'wrong-peer'],
    ['another cluster', { scope: 'prod' }, 'wrong-peer'],
    ['another lease', { lease_id: 'g6' }, 'unintelligible'],
    ['an earlier request', { request: 11 }, 'unintelligible'],
  ])('of %s does not count', async (_title, change, code) => {
    const body = JSON.stringify({ ...said, ...change });
    const { address } = await impostor(() => ({ status: 200, body }));
    const peers = await peersWith();
    const answer = await peers.promise(address, REQUEST, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code } });
  });

  it('of a Patroni member, which only says Accepted, does not count', async () => {
    const { address } = await impostor(() => ({ status: 200, body: 'Accepted' }));
    const peers = await peersWith();
    const answer = await peers.promise(address, REQUEST, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code: 'unintelligible' } });
  });

  it('is withdrawn by the lease', async () => {
    const { address, agent } = await member();
    const peers = await peersWith();
    expect(await peers.withdraw(address, 'g7', PROMPT_MILLIS)).toMatchObject({ ok: true });
    expect(agent.withdrawn).toEqual(['g7']);
  });
});

describe('credentials and certificates', () => {
  const login = (password: string): PeersSettings => ({
    ...OPEN,
    authentication: { username: 'u', password: new Secret(password) },
  });

  it('are needed where the member asks for them, and can be changed', async () => {
    const authentication = { username: 'u', password: new Secret('right') };
    const { address } = await member({ authentication });
    const peers = await peersWith(login('wrong'));
    const denied = await peers.withdraw(address, 'g7', PROMPT_MILLIS);
    expect(denied).toMatchObject({ ok: false, error: { code: 'peer-denied' } });
    expect(JSON.stringify(denied)).not.toContain('wrong');
    expect(await peers.reload(login('right'))).toMatchObject({ ok: true });
    expect(await peers.withdraw(address, 'g7', PROMPT_MILLIS)).toMatchObject({ ok: true });
  });

  const https = (): Partial<RestApiSettings> => ({
    certfile: certificates.server.cert,
    keyfile: certificates.server.key,
    cafile: certificates.ca,
    verifyClient: 'required',
  });
  const withTls = (change: Partial<PeersSettings['tls']>): PeersSettings => ({
    ...OPEN,
    tls: {
      ...NO_TLS,
      cacert: certificates.ca,
      certfile: certificates.client.cert,
      keyfile: certificates.client.key,
      ...change,
    },
  });

  it('of both sides are verified', async () => {
    const { address } = await member(https());
    const peers = await peersWith(withTls({}));
    expect(await peers.report(address, PROMPT_MILLIS)).toMatchObject({ ok: true });
  });

  it.each([
    ['another authority', () => ({ cacert: certificates.otherCa })],
    ['no authority', () => ({ cacert: undefined })],
  ])('a server of %s is not believed', async (_title, change) => {
    const { address } = await member(https());
    const peers = await peersWith(withTls(change()));
    const answer = await peers.report(address, PROMPT_MILLIS);
    expect(answer).toMatchObject({ ok: false, error: { code: 'peer-certificate' } });
  });

  it('a server is believed without verification only when told so', async () => {
    const { address } = await member(https());
    const peers = await peersWith(withTls({ cacert: undefined, insecure: true }));
    expect(await peers.report(address, PROMPT_MILLIS)).toMatchObject({ ok: true });
  });

  it('a missing file is a failure with a remedy', async () => {
    const settings = withTls({ cacert: '/nonexistent' });
    const answer = await createPeers({
      scope: 'demo',
      selfName: 'pg9',
      settings,
      clock,
      logger: recordingLogger(),
    });
    expect(answer).toMatchObject({ ok: false, error: { code: 'peer-certificate-unreadable' } });
  });
});

describe('a member whose host is silent, so that no connection comes about', () => {
  it('is not waited for any longer than one that answers nothing', async () => {
    // A connection that neither opens nor fails, as to a host without power.
    const connections = new Agent({ connect: () => undefined });
    cleanups.push(async () => connections.destroy());
    const begunAt = performance.now();
    const answer = await callPeer(
      { connections, authorization: undefined, userAgent: 'test', clock },
      {
        peer: { name: 'pg2', apiUrl: 'http://192.0.2.1:8008/patroni' },
        method: 'GET',
        path: '/peer',
        body: undefined,
        timeoutMillis: 100,
      },
    );
    expect(answer).toMatchObject({ ok: false, error: { code: 'peer-timeout' } });
    expect(performance.now() - begunAt).toBeLessThan(1_000);
  });
});
