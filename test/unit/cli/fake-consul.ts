import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As much of Consul's KV API as a reader needs; records every request. */
export class FakeConsul {
  readonly keys = new Map<string, { value: string; index: number }>();
  readonly requests: { method: string; url: string; token: string | undefined }[] = [];
  /** Answers instead of the usual; for failures. */
  override: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  #index = 10;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<FakeConsul> {
    const consul = new FakeConsul();
    await new Promise<void>((resolve) => consul.#server.listen(0, '127.0.0.1', resolve));
    return consul;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `consul://127.0.0.1:${this.port}/service`;
  }

  set(path: string, value: unknown): void {
    this.#index += 1;
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.keys.set(`service/${path}`, { value: text, index: this.#index });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const token = request.headers['x-consul-token'];
    this.requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      token: typeof token === 'string' ? token : undefined,
    });
    if (this.override !== undefined) return this.override(request, response);
    const url = new URL(request.url ?? '', 'http://consul');
    const prefix = decodeURIComponent(url.pathname.replace(/^\/v1\/kv\//, ''));
    const found = [...this.keys].filter(([key]) => key.startsWith(prefix));
    response.setHeader('X-Consul-Index', String(this.#index));
    if (found.length === 0) return void response.writeHead(404).end();
    response.setHeader('Content-Type', 'application/json');
    const body = url.searchParams.has('keys')
      ? [...new Set(found.map(([key]) => upToSlash(key, prefix)))]
      : found.map(([key, { value, index }]) => ({
          Key: key,
          Value: value === '' ? null : Buffer.from(value).toString('base64'),
          ModifyIndex: index,
          CreateIndex: index,
          LockIndex: 0,
          Flags: 0,
        }));
    response.end(JSON.stringify(body));
  }
}

function upToSlash(key: string, prefix: string): string {
  const slash = key.indexOf('/', prefix.length);
  return slash === -1 ? key : key.slice(0, slash + 1);
}
