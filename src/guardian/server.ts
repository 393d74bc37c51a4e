import { chmodSync, unlinkSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Failure, Result } from '../core/result.ts';
import { done, fail, failure } from '../core/result.ts';
import type { Answer } from './guardian.ts';
import type { Journal } from './journal.ts';
import type { Reply, Request, WireState } from './protocol.ts';
import {
  LINE_LENGTH_MAX,
  LineReader,
  PROTOCOL_VERSION,
  parseObject,
  parseRequest,
  writeLine,
} from './protocol.ts';

type Hello = Extract<Request, { type: 'hello' }>;
type Command = Exclude<Request, { type: 'hello' | 'state' }>;

export interface ServerOptions {
  readonly socketPath: string;
  readonly journal: Journal;
  readonly state: () => WireState;
  readonly handle: (request: Command) => Promise<Answer>;
  /** Called when a client has come or gone. */
  readonly onClients: () => void;
}

interface Client {
  readonly socket: Socket;
  /** Undefined until it has said who it is. */
  hello: Hello | undefined;
}

const SUPERSEDED = failure(
  'guardian-superseded',
  'another agent has taken over this guardian; this one must not act on Postgres any more',
  'stop this agent: a second one runs for the same data directory',
);

/**
 * The guardian's door. Every client is told of each change of state. Only the client that was
 * created last may give orders, and one that was superseded never again; that a connection ends
 * means nothing.
 */
export class GuardianServer {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  #controller: Client | undefined;
  #newest: { readonly client: string; readonly createdAt: number } | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  /** Fails when the socket cannot be bound; whoever calls holds the lock, so an old one is removed. */
  listen(): Promise<Result<void>> {
    const path = this.#options.socketPath;
    try {
      unlinkSync(path);
    } catch {
      // None is there.
    }
    return new Promise((resolve) => {
      this.#server.once('error', (error) => {
        resolve(fail('guardian-socket', `${path} cannot be listened on: ${error.message}`));
      });
      this.#server.listen(path, () => {
        chmodSync(path, 0o600);
        resolve(done);
      });
    });
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  pushState(): void {
    const line = writeLine({ type: 'state', state: this.#options.state() });
    for (const client of this.#clients) {
      if (client.hello !== undefined) this.#write(client, line);
    }
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.socket.end();
  }

  #accept(socket: Socket): void {
    const client: Client = { socket, hello: undefined };
    const reader = new LineReader();
    this.#clients.add(client);
    this.#options.onClients();
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = reader.push(text);
      if (lines === undefined) {
        this.#options.journal.log('warn', 'a client sent no messages of ours: dropped');
        socket.destroy();
        return;
      }
      for (const line of lines) void this.#receive(client, line);
    });
    // Followed by 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#clients.delete(client);
      if (this.#controller === client) this.#controller = undefined;
      this.#options.onClients();
    });
  }

  #write(client: Client, line: string): void {
    // A frozen agent does not read: it must not fill this process's memory.
    if (client.socket.writableLength > LINE_LENGTH_MAX) client.socket.destroy();
    else if (client.socket.writable) client.socket.write(line);
  }

  async #receive(client: Client, line: string): Promise<void> {
    const value = parseObject(line);
    const id = value?.['id'];
    if (value === undefined || typeof id !== 'number') {
      this.#options.journal.log('warn', 'a client sent a line that is no message: dropped');
      client.socket.destroy();
      return;
    }
    const request = parseRequest(value);
    const reply = request.ok
      ? await this.#answer(client, id, request.value)
      : ({ id, ok: false, error: request.error } as const);
    this.#write(client, writeLine(reply));
  }

  async #answer(client: Client, id: number, request: Request): Promise<Reply> {
    if (request.type === 'hello') return this.#greet(client, id, request);
    if (client.hello === undefined) {
      return { id, ok: false, error: failure('guardian-hello-first', 'say hello first') };
    }
    if (request.type === 'state') return { id, ok: true, state: this.#options.state() };
    const refused = this.#refuse(client);
    if (refused !== undefined) return { id, ok: false, error: refused };
    const answer = await this.#options.handle(request);
    return answer.ok ? { id, ok: true, ...answer.value } : { id, ok: false, error: answer.error };
  }

  #refuse(client: Client): Failure | undefined {
    if (client.hello?.control !== true) {
      return failure('guardian-read-only', 'this connection only watches');
    }
    return client === this.#controller ? undefined : SUPERSEDED;
  }

  #greet(client: Client, id: number, hello: Hello): Reply {
    if (hello.version < 1) {
      const message = `this guardian speaks version ${PROTOCOL_VERSION}, not ${hello.version}`;
      return { id, ok: false, error: failure('guardian-version', message) };
    }
    if (hello.control) {
      const newest = this.#newest;
      if (
        newest !== undefined &&
        newest.client !== hello.client &&
        newest.createdAt > hello.createdAt
      ) {
        return { id, ok: false, error: SUPERSEDED };
      }
      this.#newest = { client: hello.client, createdAt: hello.createdAt };
      this.#dismiss(this.#controller, hello.client);
      this.#controller = client;
      this.#options.journal.log('info', 'controlled by', { client: hello.client });
    }
    client.hello = hello;
    return { id, ok: true, state: this.#options.state() };
  }

  #dismiss(former: Client | undefined, successor: string): void {
    if (former === undefined) return;
    // The same client after a broken connection is no successor of itself.
    if (former.hello?.client !== successor) {
      this.#write(former, writeLine({ type: 'superseded' }));
    }
    former.socket.end();
  }
}
