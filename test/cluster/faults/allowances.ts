import type { Allowance } from '../fault.ts';

const TTL_MILLIS = 3_000;
/** Canvass, promotion, and a machine on which everything waits for its turn. */
const TAKEOVER_MILLIS = 3_000;
const CONSUL_ELECTION_MILLIS = 3_000;
/** Clients that notice nothing but the machine. */
const MACHINE_MILLIS = 1_500;
/** What asynchronous replication may have on its way when a server is killed. */
const IN_FLIGHT_MILLIS = 100;

/** Nobody notices. */
export const NOTHING: Allowance = {
  generations: [0, 0],
  gapMillis: MACHINE_MILLIS,
  lostSpanMillis: 0,
  staleSpanMillis: 0,
};

/** One other member leads once the lease has run out. */
export const ONE_FAILOVER: Allowance = {
  generations: [1, 1],
  gapMillis: TTL_MILLIS + TAKEOVER_MILLIS,
  lostSpanMillis: IN_FLIGHT_MILLIS,
  staleSpanMillis: 0,
};

/**
 * Commits wait until Consul has elected another leader; who leads stays. A server that was cut off comes
 * back with a newer term, so that Consul elects anew then, too.
 */
export const CONSUL_ELECTION: Allowance = {
  ...NOTHING,
  gapMillis: CONSUL_ELECTION_MILLIS + MACHINE_MILLIS,
};

/** The same where the host takes a Consul server along, which may have led the others. */
export const ONE_HOST: Allowance = {
  ...ONE_FAILOVER,
  gapMillis: TTL_MILLIS + TAKEOVER_MILLIS + CONSUL_ELECTION_MILLIS,
};

/** As of a host, of a primary that still takes writes of its own host while nobody else hears of them. */
export const ONE_ISOLATED: Allowance = {
  ...ONE_HOST,
  lostSpanMillis: TTL_MILLIS + IN_FLIGHT_MILLIS,
};

/** Nothing is wrong as long as nothing is lost: whether somebody else leads is left to the agents. */
export const SAFE: Allowance = {
  generations: [0, 2],
  gapMillis: undefined,
  lostSpanMillis: IN_FLIGHT_MILLIS,
  staleSpanMillis: 0,
};
