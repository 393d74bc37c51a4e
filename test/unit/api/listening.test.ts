import { copyFileSync, readFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createApi, type Api } from '../../../src/api/create-api.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { RestApiSettings } from '../../../src/core/service-settings.ts';
import { createCertificates, type Certificates } from './certificates.ts';
import { createFakeAgent, recordingLogger, REST, type FakeAgent } from './fake-agent.ts';

let certificates: Certificates;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(() => {
  certificates = createCertificates();
});
afterAll(() => {
  certificates.remove();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function apiWith(
  settings: Partial<RestApiSettings> = {},
  agent: FakeAgent = createFakeAgent(),
): Api {
  const api = createApi({
    agent,
    settings: { ...REST, ...settings },
    metrics: { text: () => Promise.resolve('') },
    logger: recordingLogger(),
  });
  cleanups.push(() => api.close());
  return api;
}

async function portOf(api: Api): Promise<number> {
  const listening = await api.listen();
  if (!listening.ok) throw new Error(listening.error.message);
  return listening.value.port;
}

/** A free port, for the tests that move or keep one. */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

function client(options: { ca?: string; cert?: string; key?: string } = {}): Agent {
  const read = (path: string | undefined) => (path === undefined ? {} : readFileSync(path));
  const agent = new Agent({
    connect: {
      ca: options.ca === undefined ? undefined : readFileSync(options.ca),
      ...(options.cert === undefined ? {} : { cert: read(options.cert), key: read(options.key) }),
    },
  } as Agent.Options);
  cleanups.push(() => agent.destroy());
  return agent;
}

async function status(url: string, dispatcher: Agent, method: 'GET' | 'POST' = 'GET') {
  const answer = await request(url, { dispatcher, method });
  await answer.body.dump();
  return answer.statusCode;
}

/** Sends bytes as they are, and answers with all that comes until the other side closes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => {
      resolve(text);
    });
    socket.on('error', reject);
  });
}

describe('listening', () => {
  it('answers on the port it was given', async () => {
    const port = await portOf(apiWith());
    expect(await status(`http://127.0.0.1:${port}/primary`, client())).toBe(200);
  });

  it('a port in use is a failure with a remedy, not an exception', async () => {
    const port = await portOf(apiWith());
    const second = await apiWith({ listenPort: port }).listen();
    expect(second).toMatchObject({ ok: false, error: { code: 'api-port-in-use' } });
    expect(second.ok ? '' : second.error.remedy).toContain('restapi.listen');
  });

  it('an address of another host is a failure with a remedy', async () => {
    const answer = await apiWith({ listenHost: '192.0.2.1' }).listen();
    expect(answer).toMatchObject({ ok: false, error: { code: 'api-address-unavailable' } });
  });

  it('close ends at once, with idle and half-sent connections open', async () => {
    const api = apiWith();
    const port = await portOf(api);
    const half = raw(port, 'POST /restart HTTP/1.1\r\ncontent-length: 10\r\n\r\n{');
    await status(`http://127.0.0.1:${port}/primary`, client());
    const started = performance.now();
    await api.close();
    expect(performance.now() - started).toBeLessThan(3000);
    await half;
    await expect(status(`http://127.0.0.1:${port}/primary`, client())).rejects.toThrow();
  });

  it('answers HTTP/1.0 and requests without a host, as load balancers send them', async () => {
    const port = await portOf(apiWith());
    expect(await raw(port, 'OPTIONS /primary HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    const close = 'GET /replica HTTP/1.1\r\nconnection: close\r\n\r\n';
    expect(await raw(port, close)).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('survives what is no HTTP', async () => {
    const port = await portOf(apiWith());
    expect(await raw(port, '\u0016\u0003\u0001 not http\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(port, `GET /primary HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect(await status(`http://127.0.0.1:${port}/primary`, client())).toBe(200);
  });

  it('gives up on a client that does not finish its request', async () => {
    const port = await portOf(apiWith());
    expect(await raw(port, 'GET /primary HT')).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('reload', () => {
  it('takes credentials over without a new socket', async () => {
    const api = apiWith();
    const url = `http://127.0.0.1:${await portOf(api)}/reload`;
    const agent = client();
    expect(await status(url, agent, 'POST')).toBe(202);
    const authentication = { username: 'a', password: new Secret('b') };
    expect(await api.reload({ ...REST, authentication })).toMatchObject({ ok: true });
    expect(await status(url, agent, 'POST')).toBe(401);
  });

  it('moves to another port', async () => {
    const api = apiWith();
    const before = await portOf(api);
    const after = await freePort();
    expect(await api.reload({ ...REST, listenPort: after })).toMatchObject({ ok: true });
    expect(await status(`http://127.0.0.1:${after}/primary`, client())).toBe(200);
    await expect(status(`http://127.0.0.1:${before}/primary`, client())).rejects.toThrow();
  });

  it('goes on where it was when the new port is taken or the certificate is missing', async () => {
    const taken = await portOf(apiWith());
    const listenPort = await freePort();
    const api = apiWith({ listenPort });
    await portOf(api);
    const moved = await api.reload({ ...REST, listenPort: taken });
    expect(moved).toMatchObject({ ok: false, error: { code: 'api-port-in-use' } });
    const broken = await api.reload({ ...REST, listenPort, certfile: '/nonexistent' });
    expect(broken).toMatchObject({ ok: false, error: { code: 'api-certificate-unreadable' } });
    expect(await status(`http://127.0.0.1:${listenPort}/primary`, client())).toBe(200);
  });
});

describe('TLS', () => {
  const tls = (more: Partial<RestApiSettings> = {}): RestApiSettings => ({
    ...REST,
    certfile: certificates.server.cert,
    keyfile: certificates.server.key,
    cafile: certificates.ca,
    ...more,
  });

  it.each([
    ['none', 'without', 202],
    ['optional', 'without', 403],
    ['optional', 'with', 202],
    ['required', 'with', 202],
  ] as const)(
    'verify_client %s: everybody reads, and a command %s a certificate answers %i',
    async (verifyClient, given, code) => {
      const port = await portOf(apiWith(tls({ verifyClient })));
      const own = given === 'with' ? certificates.client : {};
      const dispatcher = client({ ca: certificates.ca, ...own });
      expect(await status(`https://127.0.0.1:${port}/leader`, dispatcher)).toBe(200);
      expect(await status(`https://127.0.0.1:${port}/reload`, dispatcher, 'POST')).toBe(code);
    },
  );

  it('verify_client required lets nobody in without a certificate', async () => {
    const port = await portOf(apiWith(tls({ verifyClient: 'required' })));
    const url = `https://127.0.0.1:${port}/leader`;
    await expect(status(url, client({ ca: certificates.ca }))).rejects.toThrow();
  });

  /** Status of `POST /reload` without a certificate, on a session of an earlier connection if given. */
  const commandWithout = (port: number, session?: Buffer) =>
    new Promise<{ status: string; session: Buffer | undefined }>((resolve) => {
      const ca = readFileSync(certificates.ca);
      const socket = connectTls({ port, host: '127.0.0.1', ca, session });
      let text = '';
      let latest: Buffer | undefined;
      socket.on('session', (ticket) => (latest = ticket));
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('close', () => {
        resolve({ status: text.slice(9, 12), session: latest });
      });
      socket.write('POST /reload HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    });

  it.each([
    ['optional', '403'],
    ['required', ''],
  ] as const)('verify_client %s is not fooled by a resumed session', async (verifyClient, code) => {
    const agent = createFakeAgent();
    const port = await portOf(apiWith(tls({ verifyClient }), agent));
    const first = await commandWithout(port);
    const second = await commandWithout(port, first.session);
    expect([first.status, second.status]).toEqual([code, code]);
    expect(agent.submitted).toEqual([]);
  });

  it('a key with a password is opened with it', async () => {
    const { path, passphrase } = certificates.encryptedKey;
    const good = tls({ keyfile: path, keyfilePassword: new Secret(passphrase) });
    const port = await portOf(apiWith(good));
    expect(await status(`https://127.0.0.1:${port}/leader`, client({ ca: certificates.ca }))).toBe(
      200,
    );
    const bad = await apiWith(
      tls({ keyfile: path, keyfilePassword: new Secret('guess') }),
    ).listen();
    expect(bad).toMatchObject({ ok: false, error: { code: 'api-certificate-invalid' } });
    expect(JSON.stringify(bad)).not.toContain('guess');
  });

  it.each([
    ['a missing file', { certfile: '/nonexistent' }, 'api-certificate-unreadable'],
    ['a file that is no key', { keyfile: '/etc/hostname' }, 'api-certificate-invalid'],
    [
      'client certificates without an authority',
      { cafile: undefined, verifyClient: 'optional' },
      'api-cafile-missing',
    ],
  ] as const)('%s is a failure with a remedy', async (_title, change, code) => {
    const answer = await apiWith(tls(change)).listen();
    expect(answer).toMatchObject({ ok: false, error: { code } });
    expect(answer.ok ? '' : answer.error.remedy).not.toBe('');
  });

  const subjectAt = (port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connectTls(
        { port, host: '127.0.0.1', ca: readFileSync(certificates.ca) },
        () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });

  it('reload shows the renewed certificate on the same socket', async () => {
    const certfile = join(certificates.dir, 'live.crt');
    const keyfile = join(certificates.dir, 'live.key');
    copyFileSync(certificates.server.cert, certfile);
    copyFileSync(certificates.server.key, keyfile);
    const settings = tls({ certfile, keyfile });
    const api = apiWith(settings);
    const port = await portOf(api);
    expect(await subjectAt(port)).toBe('server');
    copyFileSync(certificates.renewed.cert, certfile);
    copyFileSync(certificates.renewed.key, keyfile);
    expect(await api.reload(settings)).toMatchObject({ ok: true });
    expect(await subjectAt(port)).toBe('renewed');
  });
});
