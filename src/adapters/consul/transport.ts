import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import Consul from 'consul';
import type { ConsulAddress, ConsulSettings } from '../../core/service-settings.ts';
import type { Millis } from '../../core/time.ts';
import type { StoreFailure } from '../../ports/cluster-store.ts';
import { openSockets } from './sockets.ts';
import type { Sockets } from './sockets.ts';

/** Each purpose has connections of its own, so that none queues behind another. */
export type Channel = 'watch' | 'write' | 'read';

/** What came back from one request to one address. */
export type Reply =
  | {
      readonly kind: 'reply';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** Parsed JSON, text or bytes, as the content type says; undefined when it could not be read. */
      readonly body: unknown;
      readonly failed: StoreFailure;
    }
  /** `sent` false: provably nothing left this host. */
  | { readonly kind: 'silence'; readonly sent: boolean; readonly failure: StoreFailure };

/** The part of npm `consul` that is used. Its types leave the common options out. */
interface ConsulClient {
  readonly kv: { get(options: object): Promise<unknown> };
  readonly session: {
    create(options: object): Promise<unknown>;
    renew(options: object): Promise<unknown>;
    destroy(options: object): Promise<unknown>;
  };
  readonly transaction: { create(operations: unknown[], options: object): Promise<unknown> };
  readonly agent: {
    readonly service: {
      list(options: object): Promise<unknown>;
      deregister(options: object): Promise<unknown>;
    };
  };
  /** The library's lowest layer, for what it has no method for. */
  put(request: object): Promise<unknown>;
}

/** One API call; `options` carries timeout, token and cancellation and must be handed on. */
export interface Call {
  readonly name: string;
  readonly send: (client: ConsulClient, options: object) => Promise<unknown>;
}

/** One Consul address. */
export interface Endpoint {
  readonly label: string;
  /** Answers within the timeout and never throws. */
  request(
    channel: Channel,
    call: Call,
    timeoutMillis: Millis,
    connectTimeoutMillis: Millis,
    signal?: AbortSignal,
  ): Promise<Reply>;
  close(): void;
}

interface Line {
  readonly client: ConsulClient;
  readonly sockets: Sockets;
}

const EXCERPT_LENGTH = 200;

type Library = Omit<ConsulClient, 'put'> & Record<'_put', ConsulClient['put']>;

function usable(client: unknown): ConsulClient {
  const library = client as Library;
  const { kv, session, transaction, agent } = library;
  return { kv, session, transaction, agent, put: async (request) => library['_put'](request) };
}

export function createEndpoint(address: ConsulAddress, settings: ConsulSettings): Endpoint {
  const lines = new Map<Channel, Line>();
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const label = `${host}:${address.port}`;
  const token = settings.token?.reveal();

  const lineFor = (channel: Channel): Line => {
    const known = lines.get(channel);
    if (known !== undefined) return known;
    const sockets = openSockets(settings);
    const client = new Consul({
      host,
      port: address.port,
      secure: settings.scheme === 'https',
      agent: sockets.agent,
    });
    const line = { client: usable(client), sockets };
    lines.set(channel, line);
    return line;
  };

  /** A proxy may echo the request into its error page. */
  const excerpt = (text: string): string => {
    const safe = token === undefined || token === '' ? text : text.replaceAll(token, '[redacted]');
    return safe.trim().slice(0, EXCERPT_LENGTH);
  };
  const say = (call: Call, what: string): string =>
    `consul ${label}: ${call.name}: ${excerpt(what)}`;

  const request: Endpoint['request'] = async (channel, call, timeout, connectTimeout, signal) => {
    if (signal?.aborted === true) return silence(false, 'cancelled', say(call, 'cancelled'));
    let line: Line;
    try {
      line = lineFor(channel);
    } catch (error) {
      return silence(false, 'unreachable', say(call, messageOf(error)));
    }
    line.sockets.limitConnect(connectTimeout);
    const ctx = Object.assign(new EventEmitter(), { includeResponse: true });
    const cancel = (): void => {
      ctx.emit('cancel');
    };
    signal?.addEventListener('abort', cancel, { once: true });
    const common = { ctx, timeout, token, dc: settings.datacenter };
    try {
      const answer = await call.send(line.client, withoutUndefined(common));
      return readAnswer(answer, (what) => say(call, what));
    } catch (error) {
      const reply = readError(error, line.sockets, (what) => say(call, what));
      if (reply.kind === 'silence' && reply.sent && reply.failure.code !== 'cancelled') {
        line.sockets.dropIdle();
      }
      return reply;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  };
  return {
    label,
    request,
    close: () => {
      for (const line of lines.values()) line.sockets.close();
      lines.clear();
    },
  };
}

const silence = (sent: boolean, code: StoreFailure['code'], message: string): Reply => ({
  kind: 'silence',
  sent,
  failure: { code, message },
});

const withoutUndefined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'failed');

interface RawResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body?: unknown;
}

const isRawResponse = (value: unknown): value is RawResponse =>
  typeof value === 'object' && value !== null && 'statusCode' in value && 'headers' in value;

/** With `includeResponse` the library answers `[response, value]`; a bare `put` the response itself. */
function readAnswer(answer: unknown, say: (what: string) => string): Reply {
  const list: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  const response = list[0];
  if (!isRawResponse(response)) {
    return silence(true, 'unintelligible', say('the client library gave no response'));
  }
  return toReply(response, response.body, say);
}

/** Names of papi's error classes, which carry no code. */
interface PapiError extends Error {
  readonly response?: unknown;
  readonly isResponse?: boolean;
  readonly isTimeout?: boolean;
  readonly isAbort?: boolean;
  readonly isValidation?: boolean;
  readonly isCodec?: boolean;
  readonly code?: unknown;
}

function readError(error: unknown, sockets: Sockets, say: (what: string) => string): Reply {
  if (!(error instanceof Error)) return silence(true, 'unreachable', say('failed'));
  const facts = error as PapiError;
  // A reply that began and did not end says nothing: its status alone proves nothing.
  const whole = facts.isResponse === true || facts.isCodec === true;
  if (whole && isRawResponse(facts.response)) {
    const body = facts.isCodec === true ? undefined : facts.response.body;
    return toReply(facts.response, body, say);
  }
  const what = say(describe(error, facts));
  if (sockets.neverConnected(error)) return silence(false, 'unreachable', what);
  if (facts.isAbort === true) return silence(true, 'cancelled', what);
  if (facts.isTimeout === true) return silence(true, 'timeout', what);
  // Rejected by Node before anything was written, for example a token with a line break.
  const unsent =
    facts.isValidation === true ||
    (typeof facts.code === 'string' && facts.code.startsWith('ERR_INVALID_'));
  return silence(!unsent, 'unreachable', what);
}

const describe = (error: Error, facts: PapiError): string =>
  typeof facts.code === 'string' && !error.message.includes(facts.code)
    ? `${error.message} (${facts.code})`
    : error.message;

function toReply(response: RawResponse, body: unknown, say: (what: string) => string): Reply {
  const status = response.statusCode;
  // What is stored in Consul may be private: only what Consul says of a failure is repeated.
  const text = status >= 200 && status < 300 ? 'unexpected body' : textOfBody(body);
  return {
    kind: 'reply',
    status,
    headers: response.headers,
    body,
    failed: { code: failureCode(status, text), message: say(`HTTP ${status} ${text}`) },
  };
}

/** For people: the beginning of what was said. */
export function textOfBody(body: unknown): string {
  if (typeof body === 'string') return body;
  if (Buffer.isBuffer(body)) return body.subarray(0, EXCERPT_LENGTH).toString('utf8');
  return body === undefined ? '' : JSON.stringify(body);
}

function failureCode(status: number, text: string): StoreFailure['code'] {
  if (status === 401 || status === 403) return 'forbidden';
  if (status >= 500)
    return /no cluster leader|no known consul servers/i.test(text) ? 'no-leader' : 'server-error';
  // Anything but a success or an error that Consul itself gives: no Consul speaks here.
  return status >= 400 && status < 500 ? 'server-error' : 'unintelligible';
}
