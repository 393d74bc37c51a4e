import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Secret } from '../../../src/core/secret.ts';
import type { ConsulSettings } from '../../../src/core/service-settings.ts';
import { createConsulStore } from '../../../src/adapters/consul/store.ts';
import type { ConsulStoreOptions } from '../../../src/adapters/consul/store.ts';
import { realClock } from '../../harness/fake-store-clock.ts';
import type { Logger } from '../../../src/ports/telemetry.ts';

/** What a server does with one request. */
export type Script = (request: IncomingMessage, response: ServerResponse, socket: Socket) => void;

export interface ScriptedConsul {
  readonly port: number;
  /** `METHOD /path?query` of everything that arrived. */
  readonly requests: readonly string[];
  readonly bodies: readonly string[];
  readonly headers: readonly http.IncomingHttpHeaders[];
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** An HTTP server on 127.0.0.1 that says what a test wants to be said. */
export async function startScripted(script: Script): Promise<ScriptedConsul> {
  const requests: string[] = [];
  const bodies: string[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const sockets = new Set<Socket>();
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
      headers.push(request.headers);
      bodies.push(Buffer.concat(chunks).toString());
      script(request, response, request.socket);
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    bodies,
    headers,
    sockets,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export function answer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Script {
  return (_request, response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const type = typeof body === 'string' ? 'text/plain' : 'application/json';
    response.writeHead(status, { 'content-type': type, ...headers });
    response.end(text);
  };
}

export const TOKEN = 'b1gs3cr3t-token';

export function settingsFor(
  ports: readonly number[],
  changes: Partial<ConsulSettings> = {},
): ConsulSettings {
  return {
    addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
    scheme: 'http',
    token: new Secret(TOKEN),
    verify: true,
    cacert: undefined,
    cert: undefined,
    key: undefined,
    datacenter: undefined,
    consistency: 'default',
    checks: [],
    registerService: false,
    serviceTags: [],
    serviceCheckIntervalMillis: 5000,
    serviceCheckTlsServerName: undefined,
    ...changes,
  };
}

export interface RecordingLogger extends Logger {
  readonly lines: string[];
}

export function recordingLogger(): RecordingLogger {
  const lines: string[] = [];
  return {
    lines,
    log: (level, message, fields) => {
      lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    },
  };
}

export const storeOn = (
  ports: readonly number[],
  changes: Partial<ConsulStoreOptions> & { readonly settings?: ConsulSettings } = {},
): ReturnType<typeof createConsulStore> =>
  createConsulStore({
    scope: 'batman',
    namespace: '/service/',
    memberName: 'node1',
    settings: settingsFor(ports),
    sessionTtlMillis: 10_000,
    logger: recordingLogger(),
    clock: realClock,
    ...changes,
  });
