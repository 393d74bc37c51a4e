import type { Fault, Heal, Scene } from '../fault.ts';
import { CONSUL_FAULTS } from './consul.ts';
import { ONE_FAILOVER, SAFE } from './allowances.ts';
import { NETWORK_FAULTS } from './network.ts';
import { PROCESS_FAULTS } from './processes.ts';

const ANSWER_TIMEOUT_MILLIS = 30_000;
const HAND_OVER_MILLIS = 2_000;

/**
 * Asked for; what comes of it is seen in who leads. The trial is not over before there is an answer: what
 * has been held up can begin when all else is repaired.
 */
function switchOver({ cluster, primary, standbys: [candidate] }: Scene): Heal {
  const answered = cluster
    .switchover(primary, candidate, ANSWER_TIMEOUT_MILLIS)
    .catch(() => undefined);
  return async () => {
    await answered;
  };
}

/** A switchover that begins a moment after something else has gone wrong. */
const during =
  (name: string): Fault['begin'] =>
  async (scene): Promise<Heal> => {
    const fault = [...CONSUL_FAULTS, ...NETWORK_FAULTS, ...PROCESS_FAULTS].find(
      (each) => each.name === name,
    );
    if (fault === undefined) throw new Error(`no fault ${name}`);
    const heal = await fault.begin(scene);
    const answered = switchOver(scene);
    return async () => {
      await heal();
      await answered();
    };
  };

/** What an operator does, in good times and in bad ones. */
export const OPERATOR_FAULTS: readonly Fault[] = [
  {
    name: 'switchover',
    what: 'a switchover, while all is well',
    holdMillis: { short: 2_000, full: 5_000 },
    allowance: {
      ...ONE_FAILOVER,
      gapMillis: HAND_OVER_MILLIS,
      lostSpanMillis: 0,
    },
    begin: async (scene) => Promise.resolve(switchOver(scene)),
  },
  {
    name: 'clean-stop',
    what: 'SIGTERM of the primary’s agent, which stops Postgres and hands over',
    holdMillis: { short: 2_000, full: 5_000 },
    allowance: { ...ONE_FAILOVER, gapMillis: HAND_OVER_MILLIS, lostSpanMillis: 0 },
    begin: async ({ primary }) => {
      await primary.stopAgent(ANSWER_TIMEOUT_MILLIS);
      return async () => {
        primary.startAgent();
        return Promise.resolve();
      };
    },
  },
  {
    name: 'switchover-without-consul-leader',
    what: 'a switchover, as the leader of Consul is killed',
    holdMillis: { short: 5_000, full: 20_000 },
    allowance: { ...SAFE, gapMillis: 15_000, lostSpanMillis: 0 },
    begin: during('consul-leader-killed'),
  },
  {
    name: 'switchover-over-a-lossy-network',
    what: 'a switchover, while packets get lost',
    holdMillis: { short: 5_000, full: 20_000 },
    allowance: SAFE,
    begin: during('network-lossy'),
  },
  {
    name: 'switchover-to-a-frozen-host',
    what: 'a switchover to a member whose host stands still',
    holdMillis: { short: 5_000, full: 20_000 },
    allowance: { ...SAFE, gapMillis: 15_000, lostSpanMillis: 0 },
    begin: during('standby-host-frozen'),
  },
  {
    name: 'switchover-of-a-primary-cut-from-consul',
    what: 'a switchover of a primary whose Consul is cut from the majority',
    holdMillis: { short: 5_000, full: 20_000 },
    allowance: SAFE,
    begin: during('primary-cut-from-consul'),
  },
];
