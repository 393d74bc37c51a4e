import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createPeers } from '../../src/adapters/peers/create-peers.ts';
import { createApi } from '../../src/api/create-api.ts';
import type { PeerAddress } from '../../src/ports/peers.ts';
import { realClock } from '../harness/fake-store-clock.ts';
import { createFakeAgent, recordingLogger, REST } from '../unit/api/fake-agent.ts';
import { peersContract } from './peers-contract.ts';

const NO_TLS = {
  cacert: undefined,
  certfile: undefined,
  keyfile: undefined,
  keyfilePassword: undefined,
  insecure: false,
};

const addressOf = (port: number): PeerAddress => ({
  name: 'pg1',
  apiUrl: `http://127.0.0.1:${port}/patroni`,
});

interface Silent {
  readonly port: number;
  /** Nobody listens there any more, and connections are reset. */
  close(): Promise<void>;
}

/** Takes connections and says nothing. */
async function listenSilently(): Promise<Silent> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    // The other side may reset what it gives up.
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of open) socket.destroy();
      }),
  };
}

peersContract('the members over REST', async () => {
  const logger = recordingLogger();
  const agent = createFakeAgent();
  const metrics = { text: () => Promise.resolve('') };
  const api = createApi({ agent, settings: REST, metrics, logger });
  const listening = await api.listen();
  if (!listening.ok) throw new Error(listening.error.message);
  const settings = { authentication: undefined, tls: NO_TLS };
  const made = await createPeers({
    scope: 'demo',
    selfName: 'pg9',
    settings,
    clock: realClock,
    logger,
  });
  if (!made.ok) throw new Error(made.error.message);
  const peers = made.value;
  const silent = await listenSilently();
  const gone = await listenSilently();
  await gone.close();
  return {
    peers,
    member: addressOf(listening.value.port),
    nobody: addressOf(gone.port),
    silent: addressOf(silent.port),
    now: () => realClock.now(),
    answer: (call) => call,
    close: async () => {
      await peers.close();
      await api.close();
      await silent.close();
    },
  };
});
