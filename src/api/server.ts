import type { TLSSocket } from 'node:tls';
import {
  fastify,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify';
import type { RestApiSettings } from '../core/service-settings.ts';
import type { Logger } from '../ports/telemetry.ts';
import { denialOf, type Caller } from './access.ts';
import type { Allowlist } from './allowlist.ts';
import { ENDPOINTS, methodsOf, type Endpoint, type EndpointId } from './endpoints.ts';
import { error as errorReply, type Call, type Handler, type Reply } from './exchange.ts';
import type { TlsMaterial } from './tls.ts';

/** Bounds on what a client may cost us; none of them concerns how long a command takes. */
const BODY_LIMIT_BYTES = 1_048_576;
const HEADER_LIMIT_BYTES = 16_384;
const HEADERS_TIMEOUT_MILLIS = 5000;
const REQUEST_TIMEOUT_MILLIS = 10_000;
const HANDSHAKE_TIMEOUT_MILLIS = 5000;
const KEEP_ALIVE_MILLIS = 10_000;
const CHECK_INTERVAL_MILLIS = 1000;
const MAX_CONNECTIONS = 1024;

/** What requests are judged by; replaced as a whole on reload. */
export interface Policies {
  readonly settings: RestApiSettings;
  readonly allowlist: Allowlist;
}

interface ServerTls {
  readonly material: TlsMaterial;
  readonly verifyClient: RestApiSettings['verifyClient'];
}

export interface ServerOptions {
  readonly handlers: Readonly<Record<EndpointId, Handler>>;
  readonly policies: () => Policies;
  readonly version: string;
  /** What the socket is made with; present means HTTPS. */
  readonly tls: ServerTls | undefined;
  readonly logger: Logger;
}

function serverHeader(settings: RestApiSettings, version: string): string {
  return settings.serverTokens === 'productonly' ? 'pgbaton' : `pgbaton/${version}`;
}

function httpOptions(tls: ServerTls | undefined): FastifyHttpOptions<RawServerDefault> {
  const bounds = {
    headersTimeout: HEADERS_TIMEOUT_MILLIS,
    requestTimeout: REQUEST_TIMEOUT_MILLIS,
    connectionsCheckingInterval: CHECK_INTERVAL_MILLIS,
    maxHeaderSize: HEADER_LIMIT_BYTES,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MILLIS,
    // Health checks of load balancers often name no host.
    requireHostHeader: false,
  };
  if (tls === undefined) return { http: bounds };
  const https = {
    ...bounds,
    ...tls.material,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MILLIS,
    requestCert: tls.verifyClient !== 'none',
    rejectUnauthorized: tls.verifyClient === 'required',
  };
  // Fastify types the two protocols apart; both give the same instance at run time.
  return { https } as FastifyHttpOptions<RawServerDefault>;
}

/** `authorized` alone is also true for a resumed TLS 1.3 session that never had a certificate. */
function hasVerifiedCertificate(socket: TLSSocket): boolean {
  return socket.authorized && Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}

function callerOf(request: FastifyRequest): Caller {
  const { socket } = request.raw;
  return {
    address: socket.remoteAddress,
    authorization: request.headers.authorization,
    verifiedCertificate:
      'encrypted' in socket ? hasVerifiedCertificate(socket as TLSSocket) : undefined,
  };
}

/** The first value of each parameter counts, an empty one is none: as Patroni reads a query. */
function parametersOf(request: FastifyRequest): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const { raw } = request.query as { readonly raw?: string };
  if (raw === undefined || raw === '') return parameters;
  for (const [key, value] of new URLSearchParams(raw)) {
    if (value !== '' && !parameters.has(key)) parameters.set(key, value);
  }
  return parameters;
}

const callOf = (request: FastifyRequest): Call => ({
  query: parametersOf(request),
  body: typeof request.body === 'string' ? request.body : '',
  wantsJson: request.headers.accept?.includes('application/json') === true,
});

/** HEAD and OPTIONS answer as GET does, without the body. */
function send(reply: FastifyReply, answer: Reply): FastifyReply {
  const { method } = reply.request;
  const withoutBody = method === 'HEAD' || method === 'OPTIONS';
  reply.code(answer.status).headers(answer.headers);
  if (answer.contentType !== undefined) reply.header('content-type', answer.contentType);
  return reply.send(withoutBody ? '' : answer.body);
}

/**
 * What was sent to an agent that stood still is read when it goes on, maybe long after its client has given
 * up: nobody wants a switchover of minutes ago. The end of the connection is read one turn of the event
 * loop after the request.
 */
async function hasLeft({ raw: { socket } }: FastifyRequest): Promise<boolean> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return socket.destroyed || socket.readableEnded;
}

/** A bug in a handler costs its caller an error, never the process. */
async function answerOf(
  options: ServerOptions,
  endpoint: Endpoint,
  request: FastifyRequest,
): Promise<Reply> {
  const what = {
    method: request.method,
    path: request.url,
    from: request.raw.socket.remoteAddress,
  };
  try {
    if (endpoint.unsafe && endpoint.id !== 'withdraw' && (await hasLeft(request))) {
      options.logger.log('warn', 'request dropped: its client has left', what);
      return errorReply(408, 'client-left', 'nothing was done: the client had left');
    }
    const answer = await options.handlers[endpoint.id](callOf(request));
    if (endpoint.unsafe) options.logger.log('info', 'request', { ...what, status: answer.status });
    return answer;
  } catch (error) {
    options.logger.log('error', 'request failed by a bug', { ...what, error });
    return errorReply(500, 'internal-error', 'internal error: see the log of this member');
  }
}

function addRoutes(app: FastifyInstance, options: ServerOptions): void {
  for (const endpoint of ENDPOINTS) {
    for (const url of endpoint.paths) {
      app.route({
        method: endpoint.method === 'GET' ? ['GET', 'HEAD', 'OPTIONS'] : endpoint.method,
        url,
        onRequest: async (request, reply) => {
          const { settings, allowlist } = options.policies();
          const denial = await denialOf(endpoint, callerOf(request), settings, allowlist);
          // Returning the reply ends the request here.
          return denial === undefined ? undefined : send(reply, denial);
        },
        handler: async (request, reply) => send(reply, await answerOf(options, endpoint, request)),
      });
    }
  }
}

function addErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const methods = methodsOf(path);
    if (methods.length === 0) {
      return send(reply, errorReply(404, 'not-found', `there is no ${path}`));
    }
    const refusal = errorReply(405, 'method-not-allowed', `${path} takes ${methods.join(', ')}`);
    return send(reply, { ...refusal, headers: { allow: methods.join(', ') } });
  });
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return status >= 400 && status < 500
      ? send(reply, errorReply(status, 'bad-request', error.message))
      : send(reply, errorReply(500, 'internal-error', 'internal error'));
  });
}

/** A server that does not listen yet: routes from the table, checks before bodies, JSON errors. */
export function createServer(options: ServerOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    ...httpOptions(options.tls),
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MILLIS,
    requestTimeout: REQUEST_TIMEOUT_MILLIS,
    // Idle connections end with the close; those at work get their answer.
    forceCloseConnections: 'idle',
    routerOptions: {
      ignoreTrailingSlash: true,
      querystringParser: (raw) => ({ raw }),
    },
    frameworkErrors: (error, _request, reply) => {
      void send(reply, errorReply(400, 'bad-request', error.message));
    },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.server.on('error', (error) => {
    options.logger.log('error', 'REST server', { error });
  });
  // curl sends JSON as a form unless told otherwise, and Patroni never looked at the type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('onSend', async (_request, reply) => {
    const { settings } = options.policies();
    reply.headers({
      server: serverHeader(settings, options.version),
      'cache-control': 'no-store',
      ...settings.extraHeaders,
    });
  });
  addErrors(app);
  addRoutes(app, options);
  return app;
}
