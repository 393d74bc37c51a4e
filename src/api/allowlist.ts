import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** How long the addresses of a host name are believed. */
const NAME_CACHE_MILLIS = 30_000;
/** A name server that does not answer must not hold a request for longer. */
const LOOKUP_TIMEOUT_MILLIS = 2000;

type Resolve = (host: string) => Promise<readonly string[]>;

const resolveHost: Resolve = async (host) =>
  (await lookup(host, { all: true })).map((found) => found.address);

/** IPv4 clients of a dual-stack socket come as `::ffff:10.0.0.1`. */
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

function hostOf(url: string): string | undefined {
  try {
    return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  } catch {
    return undefined;
  }
}

/** Host names with their addresses, asked for when needed and kept for a while. */
function createNames(resolve: Resolve, now: () => number) {
  const known = new Map<string, { readonly addresses: readonly string[]; readonly at: number }>();
  return async (host: string): Promise<readonly string[]> => {
    const cached = known.get(host);
    if (cached !== undefined && now() - cached.at < NAME_CACHE_MILLIS) return cached.addresses;
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<readonly string[]>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error('name server does not answer'));
      }, LOOKUP_TIMEOUT_MILLIS);
    });
    try {
      const addresses = (await Promise.race([resolve(host), expired])).map(plainAddress);
      known.set(host, { addresses, at: now() });
      return addresses;
    } catch {
      // An old answer beats none: a name server's fault must not lock the members out.
      return cached?.addresses ?? [];
    } finally {
      clearTimeout(timer);
    }
  };
}

export interface AllowlistOptions {
  /** Addresses, networks as `10.0.0.0/8`, host names. Empty, without members, admits everybody. */
  readonly entries: readonly string[];
  readonly includeMembers: boolean;
  /** `api_url` of the members, as last read. */
  readonly memberUrls: () => readonly string[];
  readonly resolve?: Resolve;
  readonly now?: () => number;
}

export interface Allowlist {
  /** `members-unknown-is-fine`: without entries everybody passes, because members may not be known yet. */
  admits(address: string | undefined, when: 'usual' | 'members-unknown-is-fine'): Promise<boolean>;
}

/** Which addresses may use the unsafe methods. */
export function createAllowlist(options: AllowlistOptions): Allowlist {
  const networks = new BlockList();
  const hosts: string[] = [];
  for (const entry of options.entries) {
    if (!addNetwork(networks, entry)) hosts.push(entry);
  }
  const addressesOf = createNames(options.resolve ?? resolveHost, options.now ?? Date.now);

  const anyIs = async (names: readonly string[], address: string): Promise<boolean> => {
    if (names.includes(address)) return true;
    const unresolved = names.filter((name) => isIP(name) === 0);
    const resolved = await Promise.all(unresolved.map(addressesOf));
    return resolved.some((addresses) => addresses.includes(address));
  };
  return {
    async admits(remote, when) {
      if (options.entries.length === 0) {
        if (!options.includeMembers || when === 'members-unknown-is-fine') return true;
      }
      if (remote === undefined) return false;
      const address = plainAddress(remote);
      if (networks.check(address, family(address)) || (await anyIs(hosts, address))) return true;
      if (!options.includeMembers) return false;
      const members = options.memberUrls().map(hostOf);
      return anyIs(
        members.filter((host) => host !== undefined),
        address,
      );
    },
  };
}

/** False when the entry is neither an address nor a network. */
function addNetwork(networks: BlockList, entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/');
  if (isIP(address) === 0 || rest.length > 0) return false;
  if (prefix === undefined) {
    networks.addAddress(address, family(address));
    return true;
  }
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(bits <= (isIP(address) === 6 ? 128 : 32))) return false;
  networks.addSubnet(address, bits, family(address));
  return true;
}
