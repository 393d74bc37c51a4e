import { join } from 'node:path';
import type { Upstream } from '../../core/postgres.ts';
import type { Credentials, PostgresSettings } from '../../core/settings.ts';
import type { Context } from './context.ts';
import { makePrivateDirectory, writeDurably, writeIfDifferent } from './durable-files.ts';

const CONNECT_TIMEOUT_SECONDS = '10';

/** Parameters of a connection by libpq name, without the password: that is in the password file. */
export type ConnectionParameters = Readonly<Record<string, string>>;

/** `key='value'` pairs as libpq parses them. Source: documentation, "Connection Strings". */
export const formatConninfo = (parameters: ConnectionParameters): string =>
  Object.entries(parameters)
    .map(([key, value]) => `${key}='${value.replace(/[\\']/g, '\\$&')}'`)
    .join(' ');

export function upstreamParameters(
  upstream: Upstream,
  credentials: Credentials,
  more: ConnectionParameters = {},
): ConnectionParameters {
  return {
    host: upstream.host,
    port: String(upstream.port),
    user: credentials.username,
    ...credentials.options,
    ...more,
  };
}

const passfilePath = (context: Context): string =>
  context.settings().pgpass ?? join(context.stateDir, 'pgpass');

/** A field of .pgpass: `:` and `\` escaped; a lone `*` would match everything. */
const passfileField = (value: string): string =>
  value === '*' ? '\\*' : value.replace(/[\\:]/g, '\\$&');

/** Lines for each role that has a password, for any host: upstreams change, the file need not. */
export function formatPassfile(settings: PostgresSettings): string {
  const roles = [settings.superuser, settings.replication, settings.rewind];
  const lines = roles.flatMap(({ username, password }) =>
    password === undefined
      ? []
      : [`*:*:*:${passfileField(username)}:${passfileField(password.reveal())}`],
  );
  return [...new Set(lines)].map((line) => `${line}\n`).join('');
}

export async function writePassfile(context: Context): Promise<string> {
  const path = passfilePath(context);
  await makePrivateDirectory(context.stateDir);
  await writeIfDifferent(path, formatPassfile(context.settings()));
  return path;
}

export interface ServiceAccess {
  /** What to give to a tool as connection string: names no secret. */
  readonly conninfo: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Connection parameters for a tool, through a service file and the password file: arguments are
 * visible to every user of the host, and `sslpassword` has no other way in.
 */
export async function prepareServiceAccess(
  context: Context,
  parameters: ConnectionParameters,
): Promise<ServiceAccess> {
  const passfile = await writePassfile(context);
  const path = join(context.stateDir, 'pg_service.conf');
  const lines = Object.entries({ connect_timeout: CONNECT_TIMEOUT_SECONDS, ...parameters })
    .filter(([, value]) => !/[\r\n]/.test(value))
    .map(([key, value]) => `${key}=${value}\n`);
  await writeDurably(path, `[pgbaton]\n${lines.join('')}`);
  return { conninfo: 'service=pgbaton', env: { PGSERVICEFILE: path, PGPASSFILE: passfile } };
}

/** The address at which this host reaches its own server over TCP. */
export function localAddress(listenAddresses: string): string {
  const addresses = listenAddresses
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  if (addresses.some((address) => address === '*' || address === '0.0.0.0')) return '127.0.0.1';
  const loopback = addresses.find(
    (address) => address === 'localhost' || address.startsWith('127.'),
  );
  const first = loopback ?? addresses[0] ?? '127.0.0.1';
  return first === '::' ? '::1' : first;
}
