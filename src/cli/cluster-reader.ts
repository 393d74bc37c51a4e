import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import Consul from 'consul';
import type { ClusterRecord } from '../core/cluster.ts';
import type { Result } from '../core/result.ts';
import type { ConsulAddress, ConsulSettings } from '../core/service-settings.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import { decodeCluster } from '../wire/consul/cluster.ts';
import { clusterPrefix } from '../wire/consul/keys.ts';
import type { KvEntry } from '../wire/consul/kv.ts';

const REQUEST_TIMEOUT_MILLIS = 5_000;

/**
 * Reads clusters from Consul. Nothing here can write, and no session is held: looking never
 * changes what is looked at.
 */
export interface ClusterReader {
  /** Linearizable. Undefined: nothing is stored below that name. */
  read(scope: string): Promise<Result<ClusterRecord | undefined, CliFailure>>;
  /** Names of the clusters below the namespace. */
  listScopes(): Promise<Result<readonly string[], CliFailure>>;
  close(): void;
}

interface Answered {
  readonly status: number;
  readonly body: unknown;
}

type Asked =
  { readonly ok: true; readonly value: Answered } | { readonly ok: false; readonly why: string };

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
};

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;

const isResponse = (value: unknown): value is readonly [IncomingMessage, unknown] =>
  Array.isArray(value) && value.length >= 1;

/** Options that the typings of `consul` lack: an absolute bound, and the response beside the body. */
function readOptions(key: string, settings: ConsulSettings): Record<string, unknown> {
  return {
    key,
    consistent: true,
    // Values as bytes: what is not UTF-8 must be seen as unreadable, not be repaired.
    buffer: true,
    timeout: REQUEST_TIMEOUT_MILLIS,
    ctx: Object.assign(new EventEmitter(), { includeResponse: true }),
    ...(settings.datacenter === undefined ? {} : { dc: settings.datacenter }),
    ...(settings.token === undefined ? {} : { token: settings.token.reveal() }),
  };
}

async function settle(pending: Promise<unknown>): Promise<Asked> {
  try {
    const answer = await pending;
    if (!isResponse(answer)) return { ok: false, why: 'an answer that is none' };
    const [response, body] = answer;
    // Whatever else listens on that port also has a 404 to offer; only Consul sends its index.
    if (response.headers['x-consul-index'] === undefined) {
      return { ok: false, why: 'what listens there is not Consul' };
    }
    return { ok: true, value: { status: response.statusCode ?? 0, body } };
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined) return { ok: false, why: textOf(error) };
    return { ok: true, value: { status, body: textOf(error) } };
  }
}

function agentFor(settings: ConsulSettings): HttpAgent | HttpsAgent {
  if (settings.scheme === 'http') return new HttpAgent({ keepAlive: true, maxSockets: 2 });
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(path);
  return new HttpsAgent({
    keepAlive: true,
    maxSockets: 2,
    ca: read(settings.cacert),
    cert: read(settings.cert),
    key: read(settings.key ?? settings.cert),
    rejectUnauthorized: settings.verify,
  });
}

const hostOf = (address: ConsulAddress): string =>
  address.host.includes(':') ? `[${address.host}]` : address.host;

function refusedBy(status: number, body: unknown, where: string): { ok: false; error: CliFailure } {
  const said = typeof body === 'string' ? body : `status ${status}`;
  if (status === 403 || status === 401) {
    return failed(
      'refused',
      `Consul at ${where} denies the read: ${said}`,
      'Give a token with key_prefix read on the namespace: consul.token, or PATRONI_CONSUL_TOKEN.',
    );
  }
  return failed(
    'unreachable',
    `Consul at ${where} answers ${status}: ${said}`,
    'Check "consul operator raft list-peers": reads need a Consul that has elected a leader.',
  );
}

function entriesOf(body: unknown): readonly KvEntry[] | undefined {
  if (!Array.isArray(body)) return undefined;
  const entries: KvEntry[] = [];
  for (const item of body as readonly unknown[]) {
    if (typeof item !== 'object' || item === null) return undefined;
    const {
      Key: key,
      Value: value,
      ModifyIndex: index,
      Session: session,
    } = item as Record<string, unknown>;
    if (typeof key !== 'string' || typeof index !== 'number') return undefined;
    entries.push({
      path: key,
      value: Buffer.isBuffer(value) ? value : Buffer.alloc(0),
      modifyIndex: index,
      session: typeof session === 'string' && session !== '' ? session : undefined,
    });
  }
  return entries;
}

/** Opens nothing yet; throws only what reading the TLS files throws. */
export function createClusterReader(settings: ConsulSettings, namespace: string): ClusterReader {
  const agent = agentFor(settings);
  const clients = settings.addresses.map((address) => ({
    where: `${settings.scheme}://${hostOf(address)}:${address.port}`,
    consul: new Consul({
      host: hostOf(address),
      port: address.port,
      secure: settings.scheme === 'https',
      agent,
    }),
  }));

  /** Each address once, in order, until one answers. */
  async function ask(
    call: (consul: Consul) => Promise<unknown>,
  ): Promise<Result<unknown, CliFailure>> {
    const tried: string[] = [];
    let refusal: { ok: false; error: CliFailure } | undefined;
    for (const { where, consul } of clients) {
      const answer = await settle(call(consul));
      if (!answer.ok) tried.push(`${where}: ${answer.why}`);
      else if (answer.value.status === 200) return { ok: true, value: answer.value.body };
      else if (answer.value.status === 404) return { ok: true, value: undefined };
      else refusal ??= refusedBy(answer.value.status, answer.value.body, where);
    }
    return (
      refusal ??
      failed(
        'unreachable',
        `Consul does not answer: ${tried.join('; ')}`,
        'Check that Consul runs there, and consul.host in the configuration or --dcs-url.',
      )
    );
  }

  const unreadable = failed(
    'unreachable',
    'Consul answered something that is no list of keys.',
    'Check that consul.host or --dcs-url leads to a Consul and not to a proxy before it.',
  );

  async function read(scope: string): Promise<Result<ClusterRecord | undefined, CliFailure>> {
    const prefix = clusterPrefix(namespace, scope);
    const options = { ...readOptions(prefix, settings), recurse: true };
    const answer = await ask((consul) => consul.kv.get(options));
    if (!answer.ok) return answer;
    if (answer.value === undefined) return { ok: true, value: undefined };
    const entries = entriesOf(answer.value);
    return entries === undefined ? unreadable : { ok: true, value: decodeCluster(prefix, entries) };
  }

  async function listScopes(): Promise<Result<readonly string[], CliFailure>> {
    const prefix = clusterPrefix(namespace, '');
    const options = { ...readOptions(prefix, settings), separator: '/' };
    const answer = await ask((consul) => consul.kv.keys(options));
    if (!answer.ok) return answer;
    if (answer.value === undefined) return { ok: true, value: [] };
    if (!Array.isArray(answer.value)) return unreadable;
    const names = answer.value.filter((key): key is string => typeof key === 'string');
    const scopes = names.map((key) => key.slice(prefix.length).replace(/\/$/, ''));
    return { ok: true, value: [...new Set(scopes.filter((name) => name !== ''))].sort() };
  }

  return { read, listScopes, close: () => agent.destroy() };
}
