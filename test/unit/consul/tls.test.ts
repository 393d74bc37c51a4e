import { readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMPTY_CLUSTER } from '../../../src/core/cluster.ts';
import type { ConsulSettings } from '../../../src/core/service-settings.ts';
import type { StoreWrite } from '../../../src/ports/cluster-store.ts';
import { createCertificates } from '../api/certificates.ts';
import type { Certificates } from '../api/certificates.ts';
import { settingsFor, storeOn } from './scripted-consul.ts';

const TIMEOUT = 5000;
const write: StoreWrite = {
  guards: [],
  changes: [{ kind: 'delete', key: 'failover' }],
};

let port: number;
let server: https.Server;
let certificates: Certificates;
/** What a member is configured with when all is well. */
let proper: Partial<ConsulSettings>;

beforeAll(async () => {
  certificates = createCertificates();
  const { ca: cacert, client } = certificates;
  proper = { cacert, cert: client.cert, key: client.key };
  server = https.createServer(
    {
      key: readFileSync(certificates.server.key),
      cert: readFileSync(certificates.server.cert),
      ca: readFileSync(certificates.ca),
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
  certificates.remove();
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
  const store = secure(port, proper);
  expect(await store.read(TIMEOUT)).toEqual({ kind: 'read', record: EMPTY_CLUSTER, index: 4 });
  store.close();
});

test('an unknown server gets nothing: the write provably did not happen', async () => {
  const store = secure(port, { ...proper, cacert: certificates.otherCa });
  expect(await store.commit(write, TIMEOUT)).toMatchObject({
    kind: 'not-done',
    failure: { code: 'unreachable' },
  });
  store.close();
});

test('verify: false accepts any server', async () => {
  const store = secure(port, { ...proper, cacert: undefined, verify: false });
  expect(await store.read(TIMEOUT)).toMatchObject({ kind: 'read' });
  store.close();
});

test('files that are missing or no certificates fail as values that name them', async () => {
  const missing = secure(port, { cacert: `${certificates.dir}/none.crt` });
  const failed = await missing.commit(write, TIMEOUT);
  expect(failed).toMatchObject({ kind: 'not-done', failure: { code: 'unreachable' } });
  expect(JSON.stringify(failed)).toContain('none.crt');
  const wrong = secure(port, { ...proper, cert: certificates.client.key });
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
  expect(performance.now() - started).toBeLessThan(1500);
  const settings = settingsFor([mutePort, port], { scheme: 'https', ...proper });
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
