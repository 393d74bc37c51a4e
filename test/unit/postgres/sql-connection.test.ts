import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { SqlConnection } from '../../../src/adapters/postgres/sql-connection.ts';
import { systemClock } from '../../../src/adapters/system/clock.ts';

/** For what never answers, and for what does. */
const SHORT_MILLIS = 60;
const LONG_MILLIS = 10_000;
const TRIES = 5;

const AUTHENTICATION_OK = Buffer.from('R\0\0\0\u0008\0\0\0\0', 'latin1');
const READY_FOR_QUERY = Buffer.from('Z\0\0\0\u0005I', 'latin1');

let running: SilentServer | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

/** Reads all that it is sent, so that it sees who leaves; says only its first words. */
class SilentServer {
  readonly #server: Server;
  readonly open = new Set<Socket>();
  accepted = 0;

  private constructor(firstWords: Buffer | undefined) {
    this.#server = createServer((socket) => {
      this.accepted += 1;
      this.open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.open.delete(socket));
      socket.once('data', () => {
        if (firstWords !== undefined) socket.write(firstWords);
      });
      socket.resume();
    });
  }

  static async start(firstWords?: Buffer): Promise<SilentServer> {
    const server = new SilentServer(firstWords);
    await new Promise<void>((resolve) => {
      server.#server.listen(0, '127.0.0.1', resolve);
    });
    running = server;
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

const connect = (
  server: SilentServer,
  timeoutMillis: number,
  options: Readonly<Record<string, string>> = {},
) =>
  SqlConnection.open(
    systemClock,
    {
      host: '127.0.0.1',
      port: server.port,
      database: 'postgres',
      credentials: { username: 'postgres', password: undefined, options },
    },
    timeoutMillis,
  );

test.each([
  { what: 'that never says a word', words: undefined, options: {} },
  {
    what: 'that agrees to encrypt and never does',
    words: Buffer.from('S'),
    options: { sslmode: 'require' },
  },
  { what: 'that lets one in and never gets ready', words: AUTHENTICATION_OK, options: {} },
])('no connection is left behind at a server $what', async ({ words, options }) => {
  const server = await SilentServer.start(words);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const opened = await connect(server, SHORT_MILLIS, options);
    expect(opened).toMatchObject({ ok: false, error: { kind: 'timed-out' } });
  }
  await vi.waitFor(() => {
    expect({ accepted: server.accepted, open: server.open.size }).toEqual({
      accepted: TRIES,
      open: 0,
    });
  }, LONG_MILLIS);
});

test('a connection whose question was not answered in time is dropped with it', async () => {
  const server = await SilentServer.start(Buffer.concat([AUTHENTICATION_OK, READY_FOR_QUERY]));
  const opened = await connect(server, LONG_MILLIS);
  if (!opened.ok) throw new Error(opened.error.message);
  const answer = await opened.value.query('SELECT 1', [], SHORT_MILLIS);
  expect(answer).toMatchObject({ ok: false, error: { kind: 'timed-out' } });
  expect(opened.value.broken).toMatchObject({ kind: 'timed-out' });
  await vi.waitFor(() => {
    expect(server.open.size).toBe(0);
  }, LONG_MILLIS);
});
