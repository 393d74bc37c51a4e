/** Names under which a cluster lives in Consul: Patroni's key layout and our catalog node. */

/** `service/batman/`: without a leading slash, which Consul would keep as part of the key. */
export function clusterPrefix(namespace: string, scope: string): string {
  const parts = [...namespace.split('/'), scope].filter((part) => part !== '');
  return `${parts.join('/')}/`;
}

/**
 * Node of Consul's catalog that carries a member's session. Nobody probes it: the session then ends
 * by its TTL alone and survives a restart of the Consul agent beside the member.
 */
export const virtualNodeName = (scope: string, member: string): string =>
  `pgbaton-${scope}-${member}`;

/** As Patroni names its sessions. */
export const sessionName = (scope: string, member: string): string => `${scope}-${member}`;

const MEMBERS = 'members/';

/** `members/node1` gives `node1`; undefined for any other key. */
export function memberNameOf(key: string): string | undefined {
  if (!key.startsWith(MEMBERS) || key.length === MEMBERS.length) return undefined;
  return key.slice(MEMBERS.length);
}
