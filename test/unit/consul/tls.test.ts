import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMPTY_CLUSTER } from '../../../src/core/cluster.ts';
import type { ConsulSettings } from '../../../src/core/service-settings.ts';
import type { StoreWrite } from '../../../src/ports/cluster-store.ts';
import { settingsFor, storeOn } from './scripted-consul.ts';

const TIMEOUT = 1000;
const write: StoreWrite = {
  guards: [],
  changes: [{ kind: 'delete', key: 'failover' }],
};

let folder: string;
let port: number;
let server: https.Server;
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pgbaton-tls-'));
  for (const name of ['server', 'client']) {
    const request =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 ' +
      `-subj /CN=${name} -addext subjectAltName=IP:127.0.0.1`;
    const output = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)];
    execFileSync('openssl', [...request.split(' '), ...output], { stdio: 'pipe' });
  }
  server = https.createServer(
    {
      key: readFileSync(file('server.key')),
      cert: readFileSync(file('server.crt')),
      ca: readFileSync(file('client.crt')),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (_request, response) => {
      response.writeHead(404, { 'x-consul-index': '4' });
      response.end();
    },
  );
  port = await listen(server);
});

afterAll(async () => {
  server.closeAllConnections();
  await closed(server);
  rmSync(folder, { recursive: true });
});

async function listen(listener: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  return (listener.address() as AddressInfo).port;
}

const closed = async (listener: Server): Promise<unknown> =>
  new Promise((resolve) => {
    listener.close(resolve);
  });

const secure = (at: number, changes: Partial<ConsulSettings>): ReturnType<typeof storeOn> =>
  storeOn([], { settings: settingsFor([at], { scheme: 'https', ...changes }) });

test('a client certificate and the CA of the server let a read through', async () => {
  const store = secure(port, {
    cacert: file('server.crt'),
    cert: file('client.crt'),
    key: file('client.key'),
  });
  expect(await store.read(TIMEOUT)).toEqual({ kind: 'read', record: EMPTY_CLUSTER, index: 4 });
  store.close();
});

test('an unknown server gets nothing: the write provably did not happen', async () => {
  const store = secure(port, { cert: file('client.crt'), key: file('client.key') });
  expect(await store.commit(write, TIMEOUT)).toMatchObject({
    kind: 'not-done',
    failure: { code: 'unreachable' },
  });
  store.close();
});

test('verify: false accepts any server', async () => {
  const store = secure(port, {
    verify: false,
    cert: file('client.crt'),
    key: file('client.key'),
  });
  expect(await store.read(TIMEOUT)).toMatchObject({ kind: 'read' });
  store.close();
});

test('files that are missing or no certificates fail as values that name them', async () => {
  const missing = secure(port, { cacert: file('none.crt') });
  const failed = await missing.commit(write, TIMEOUT);
  expect(failed).toMatchObject({ kind: 'not-done', failure: { code: 'unreachable' } });
  expect(JSON.stringify(failed)).toContain('none.crt');
  const wrong = secure(port, { cert: file('server.key'), key: file('client.key') });
  expect(await wrong.commit(write, TIMEOUT)).toMatchObject({ kind: 'not-done' });
});

test('a handshake that never ends is given up in time, and the next address is used', async () => {
  const mute = net.createServer(() => undefined);
  const sockets: net.Socket[] = [];
  mute.on('connection', (socket) => sockets.push(socket));
  const mutePort = await listen(mute);
  const alone = secure(mutePort, {});
  const started = performance.now();
  expect(await alone.commit(write, 200)).toMatchObject({ kind: 'not-done' });
  expect(performance.now() - started).toBeLessThan(400);
  const settings = settingsFor([mutePort, port], {
    scheme: 'https',
    cacert: file('server.crt'),
    cert: file('client.crt'),
    key: file('client.key'),
  });
  const both = storeOn([], { settings });
  // The second server knows no transactions: that it answers at all is what is asked here.
  expect(await both.commit(write, TIMEOUT)).toMatchObject({
    kind: 'unknown',
    failure: { code: 'server-error' },
  });
  both.close();
  alone.close();
  for (const socket of sockets) socket.destroy();
  await closed(mute);
});
