import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { Result } from '../core/result.ts';
import type { CtlSettings } from '../core/service-settings.ts';
import { parseJsonText } from '../wire/rest/json-text.ts';
import { printable } from './text-width.ts';

const CONNECT_TIMEOUT_MILLIS = 3_000;
const MAXIMUM_BODY_BYTES = 4 * 1024 * 1024;

/** A member as its key in Consul describes it. */
export interface MemberAddress {
  readonly name: string;
  /** `http[s]://host:port/patroni`. */
  readonly apiUrl: string;
}

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Bound of the whole exchange. */
  readonly timeoutMillis: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RestAnswer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON with 64-bit integers as bigint; undefined when it is none. */
  readonly json: unknown;
}

/** Why there is no answer, by what it says about whether the member acted. */
export interface RestTrouble {
  /**
   * `unsent`: no connection, the member provably did nothing. `unanswered`: it may have acted.
   */
  readonly kind: 'unsent' | 'unanswered';
  readonly message: string;
  readonly hint: string;
}

export interface RestClient {
  send(member: MemberAddress, request: RestRequest): Promise<Result<RestAnswer, RestTrouble>>;
  close(): Promise<void>;
}

const UNSENT_CODES = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_INVALID_URL',
]);

const TLS_CODE = /CERT|^ERR_TLS|^ERR_SSL|^EPROTO$|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH/;

/** The codes of an error and of what caused it, and of the errors that an attempt at several addresses collects. */
function errorCodes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  const inner = error instanceof AggregateError ? error.errors.flatMap(errorCodes) : [];
  return [...code, ...inner, ...(error.cause === undefined ? [] : errorCodes(error.cause))];
}

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return errorCodes(error)[0] ?? error.name;
};

function troubleOf(
  error: unknown,
  member: MemberAddress,
  url: string,
  timedOut: boolean,
): RestTrouble {
  const codes = errorCodes(error);
  const where = `${member.name} (${url})`;
  if (codes.some((code) => TLS_CODE.test(code))) {
    return {
      kind: 'unsent',
      message: `no trusted TLS connection to ${where}: ${describe(error)}`,
      hint: 'Set ctl.cacert (or restapi.cafile) to the authority that signed it; --insecure skips the check.',
    };
  }
  const unsent = codes.some((code) => UNSENT_CODES.has(code));
  return {
    kind: unsent ? 'unsent' : 'unanswered',
    message: timedOut ? `${where} did not answer in time` : `${where}: ${describe(error)}`,
    hint: unsent
      ? `Check that the agent of ${member.name} runs and that its REST address is reachable from here.`
      : 'Look at "pgbaton list" before you try again.',
  };
}

/** Files of the client's side of TLS. Throws what the file system says. */
function tlsOptions(settings: CtlSettings): Record<string, unknown> {
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(path);
  return {
    ca: read(settings.cacert),
    cert: read(settings.certfile),
    key: read(settings.keyfile ?? settings.certfile),
    passphrase: settings.keyfilePassword?.reveal(),
    rejectUnauthorized: !settings.insecure,
  };
}

function headersOf(settings: CtlSettings, hasBody: boolean): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (hasBody) headers['content-type'] = 'application/json';
  if (settings.authentication !== undefined) {
    const { username, password } = settings.authentication;
    const token = Buffer.from(`${username}:${password.reveal()}`).toString('base64');
    headers['authorization'] = `Basic ${token}`;
  }
  return headers;
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAXIMUM_BODY_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Where a path of the REST API lies at a member: `api_url` names `/patroni`, the rest is beside it. */
function urlOf(member: MemberAddress, path: string): string | undefined {
  try {
    const url = new URL(path, member.apiUrl);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Talks to the agents. Server certificates are verified unless `insecure`; redirects are not
 * followed, so the credentials go to the published address only. Never throws but for the TLS
 * files, which are read here.
 */
export function createRestClient(settings: CtlSettings): RestClient {
  const dispatcher = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MILLIS, ...tlsOptions(settings) },
    // The signal bounds each exchange as a whole, and a restart may rightly take minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 1_000,
    pipelining: 1,
    connections: 4,
  });

  async function send(
    member: MemberAddress,
    { method, path, body, timeoutMillis, signal }: RestRequest,
  ): Promise<Result<RestAnswer, RestTrouble>> {
    const url = urlOf(member, path);
    if (url === undefined) {
      const message = `${member.name} publishes no usable REST address: "${printable(member.apiUrl)}"`;
      const hint = 'Check restapi.connect_address of that member.';
      return { ok: false, error: { kind: 'unsent', message, hint } };
    }
    const timeout = AbortSignal.timeout(timeoutMillis);
    try {
      const answer = await request(url, {
        dispatcher,
        method,
        headers: headersOf(settings, body !== undefined),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      const text = await readBounded(answer.body);
      const parsed = parseJsonText(text);
      return {
        ok: true,
        value: {
          status: answer.statusCode,
          text: printable(text),
          json: parsed.ok ? parsed.value : undefined,
        },
      };
    } catch (error) {
      return { ok: false, error: troubleOf(error, member, url, timeout.aborted) };
    }
  }

  return { send, close: () => dispatcher.destroy() };
}
