import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MemberCall {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly authorization: string | undefined;
}

interface Canned {
  readonly status: number;
  readonly body: unknown;
  readonly after?: () => void;
}

/** A REST server that answers what a test tells it to, by `METHOD /path`. */
export class FakeMember {
  readonly calls: MemberCall[] = [];
  readonly #answers = new Map<string, Canned | ((response: ServerResponse) => void)>();
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const call = {
        method: request.method ?? '',
        path: request.url ?? '',
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
        authorization: request.headers.authorization,
      };
      this.calls.push(call);
      this.#answer(`${call.method} ${call.path}`, response);
    });
  });

  static async start(name: string): Promise<FakeMember> {
    const member = new FakeMember(name);
    await member.#listen(0);
    return member;
  }

  readonly name: string;
  #port = 0;

  private constructor(name: string) {
    this.name = name;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#port}/patroni`;
  }

  /** A JSON body for an object, plain text for a string. */
  on(request: string, status: number, body: unknown, after?: () => void): void {
    this.#answers.set(request, after === undefined ? { status, body } : { status, body, after });
  }

  /** Full control of the response, for the ways an answer can go wrong. */
  onRaw(request: string, answer: (response: ServerResponse) => void): void {
    this.#answers.set(request, answer);
  }

  /** Listens again where it did. */
  restart(): Promise<void> {
    return this.#listen(this.#port);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #answer(key: string, response: ServerResponse): void {
    const answer = this.#answers.get(key);
    if (typeof answer === 'function') return answer(response);
    const { status, body, after } = answer ?? { status: 404, body: 'no such path' };
    after?.();
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const type = typeof body === 'string' ? 'text/plain' : 'application/json';
    response.writeHead(status, { 'content-type': type }).end(text);
  }
}
