import { createServer, Socket } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { Millis } from '../../src/core/time.ts';

/** Stands between an agent and Consul: passes everything on, answers late, or passes nothing. */
export class DelayingProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Where it leads; known once Consul runs. */
  target: { readonly host: string; readonly port: number } | undefined;
  /** How late every piece of an answer arrives. */
  delayMillis: Millis = 0;
  #cut = false;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => {
      this.#pass(client);
    });
  }

  static async start(): Promise<DelayingProxy> {
    const server = createServer();
    const proxy = new DelayingProxy(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Swallows whatever comes from either side, as a network that is cut does. */
  set cut(is: boolean) {
    this.#cut = is;
    if (!is) for (const socket of this.#open) socket.destroy();
  }

  #pass(client: Socket): void {
    const server = new Socket();
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#open.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    if (this.target !== undefined) server.connect(this.target);
    client.on('data', (data) => {
      if (!this.#cut) server.write(data);
    });
    server.on('data', (data) => {
      if (this.#cut) return;
      setTimeout(() => {
        if (!this.#cut && !client.destroyed) client.write(data);
      }, this.delayMillis);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
