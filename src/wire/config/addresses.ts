import { text, refuse } from './scalars.ts';

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface ListenAddress {
  /** Without brackets; `*` and an empty host are all addresses, spelled `*`. */
  readonly hosts: readonly string[];
  readonly port: number;
}

/** Digits alone are a port whose host was forgotten. */
const HOST = /^(?!\d+$)[A-Za-z0-9._-]+$/;
const IPV6 = /^[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?$/;

/**
 * Splits `host:port`, `[ipv6]:port` or a host alone. Undefined when it is neither.
 * A bare IPv6 address is ambiguous beside a port and must stand in brackets, unless no port follows.
 */
export function parseHostPort(value: string, defaultPort: number): HostPort | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(value);
  if (bracketed !== null) return checked(bracketed[1] ?? '', bracketed[2], defaultPort, IPV6);
  if (value.split(':').length > 2) return checked(value, undefined, defaultPort, IPV6);
  const plain = /^([^:]+)(?::(\d+))?$/.exec(value);
  return plain === null ? undefined : checked(plain[1] ?? '', plain[2], defaultPort, HOST);
}

/** Writes `host:port`, IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Splits `host[,host...]:port`, `*:port` or hosts without port, as PostgreSQL's listen_addresses knows them. */
export function parseListen(value: string, defaultPort: number): ListenAddress | undefined {
  const match = /^(.*?)(?::(\d+))?$/.exec(value.trim());
  // The last of several colons outside brackets belongs to a bare IPv6 address.
  const bareIpv6 = /^[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$/.test(value);
  const head = bareIpv6 ? value : (match?.[1] ?? '');
  const digits = bareIpv6 ? undefined : match?.[2];
  const hosts = head.split(',').map((host) => unbracket(host.trim()));
  const port = digits === undefined ? defaultPort : Number(digits);
  if (!isPort(port) || !hosts.every(isListenHost)) return undefined;
  return { hosts: hosts.map((host) => (host === '' ? '*' : host)), port };
}

/** Address that others connect to: never a wildcard, which names no host. */
export const connectAddress = (defaultPort: number) => {
  const expected = `host:port that the other members reach, such as 10.0.0.1:${defaultPort}`;
  return text(expected).transform((value, context) => {
    const address = parseHostPort(value, defaultPort);
    const wildcard = address === undefined || ['0.0.0.0', '::', '*'].includes(address.host);
    return wildcard ? refuse(context, expected) : address;
  });
};

/** Address to listen on; several hosts only when `many`. */
export const listenAddress = (defaultPort: number, many: boolean) => {
  const expected = many
    ? `host[,host]:port to listen on, such as 0.0.0.0:${defaultPort}`
    : `host:port to listen on, such as 0.0.0.0:${defaultPort}`;
  return text(expected).transform((value, context) => {
    const address = parseListen(value, defaultPort);
    const good = address !== undefined && (many || address.hosts.length === 1);
    return good ? address : refuse(context, expected);
  });
};

function checked(
  host: string,
  digits: string | undefined,
  defaultPort: number,
  pattern: RegExp,
): HostPort | undefined {
  const port = digits === undefined ? defaultPort : Number(digits);
  return pattern.test(host) && isPort(port) ? { host, port } : undefined;
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;

const isListenHost = (host: string): boolean =>
  host === '' || host === '*' || HOST.test(host) || (host.includes(':') && IPV6.test(host));

const unbracket = (host: string): string => /^\[(.*)\]$/.exec(host)?.[1] ?? host;
