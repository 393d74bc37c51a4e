import type { Fault, Heal, Scene } from '../fault.ts';
import { CONSUL_PORTS } from '../network.ts';
import type { End, Loss } from '../network.ts';
import { whyNoDelay } from '../namespaces.ts';
import { CONSUL_ELECTION, NOTHING, ONE_ISOLATED, SAFE } from './allowances.ts';

const UNTIL_SUCCEEDED = {
  holdMillis: { short: 15_000, full: 30_000 },
  untilSucceeded: true,
} as const;
const LOST_OF_A_HUNDRED = 15;
const DELAY_MILLIS = 200;
const SLOW_KILOBITS_PER_SECOND = 512;
const FLAPS_MILLIS = 1_200;

const from = (host: End, others: readonly End[]): Loss[] =>
  others.map((to) => ({ from: host, to }));
const to = (host: End, others: readonly End[]): Loss[] =>
  others.map((other) => ({ from: other, to: host }));
const both = (host: End, others: readonly End[]): Loss[] => [
  ...from(host, others),
  ...to(host, others),
];

const losing =
  (lossesOf: (scene: Scene) => readonly Loss[] | Promise<readonly Loss[]>): Fault['begin'] =>
  async (scene): Promise<Heal> =>
    scene.cluster.network.alsoLose(await lossesOf(scene));

const everybody = ({ cluster, primary }: Scene): End[] => cluster.network.othersOf(primary.name);

/** Packets that get lost, all of them or some, in both directions or one. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'primary-isolated',
    what: 'the primary’s host hears nobody and is heard by nobody',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_ISOLATED,
    begin: losing((scene) => both(scene.primary.name, everybody(scene))),
  },
  {
    name: 'primary-unplugged',
    what: 'the plug of the primary’s host is pulled: it has no carrier',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_ISOLATED,
    begin: async ({ cluster, primary }) => {
      await cluster.network.plug(primary.name, 'out');
      return async () => cluster.network.plug(primary.name, 'in');
    },
  },
  {
    name: 'primary-unheard',
    what: 'what the primary’s host sends gets lost, what is sent to it arrives',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_ISOLATED,
    begin: losing((scene) => from(scene.primary.name, everybody(scene))),
  },
  {
    name: 'primary-deaf',
    what: 'what is sent to the primary’s host gets lost, what it sends arrives',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_ISOLATED,
    begin: losing((scene) => to(scene.primary.name, everybody(scene))),
  },
  {
    name: 'primary-cut-from-one-standby',
    what: 'the primary’s host and that of one standby do not hear each other',
    holdMillis: { short: 5_000, full: 30_000 },
    allowance: CONSUL_ELECTION,
    begin: losing(async ({ cluster, primary, standbys }) => {
      const standby = await cluster.quietStandby(standbys);
      return both(primary.name, [standby.name]);
    }),
  },
  {
    name: 'primary-cut-from-both-standbys',
    what: 'the primary’s host is heard by clients alone: neither Consul’s majority nor a member hears it',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_ISOLATED,
    begin: losing(({ primary, standbys }) =>
      both(
        primary.name,
        standbys.map(({ name }) => name),
      ),
    ),
  },
  {
    name: 'primary-cut-from-consul',
    what: 'the primary’s Consul is cut from the majority, the members see each other',
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: NOTHING,
    begin: losing(({ primary, standbys }) =>
      both(
        primary.name,
        standbys.map(({ name }) => name),
      ).map((loss) => ({ ...loss, ports: CONSUL_PORTS })),
    ),
  },
  {
    name: 'standby-isolated',
    what: 'the host of a standby hears nobody and is heard by nobody',
    holdMillis: { short: 5_000, full: 30_000 },
    allowance: CONSUL_ELECTION,
    begin: losing(async ({ cluster, standbys }) => {
      const standby = await cluster.quietStandby(standbys);
      return both(standby.name, cluster.network.othersOf(standby.name));
    }),
  },
  {
    name: 'primary-flapping',
    what: `the primary’s host comes and goes every ${FLAPS_MILLIS / 1000} s`,
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: { ...SAFE, lostSpanMillis: ONE_ISOLATED.lostSpanMillis },
    begin: async (scene) => {
      const { network } = scene.cluster;
      const losses = both(scene.primary.name, everybody(scene));
      let heal: Heal | undefined;
      let last = Promise.resolve();
      const flap = async (): Promise<void> => {
        if (heal === undefined) heal = await network.alsoLose(losses);
        else {
          await heal();
          heal = undefined;
        }
      };
      last = flap();
      const timer = setInterval(() => {
        last = last.then(flap);
      }, FLAPS_MILLIS);
      return async () => {
        clearInterval(timer);
        await last;
        await heal?.();
      };
    },
  },
  {
    name: 'network-lossy',
    what: `${LOST_OF_A_HUNDRED} of a hundred packets get lost, between all hosts`,
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: SAFE,
    begin: losing(({ cluster: { hosts } }) =>
      hosts.flatMap((host) =>
        hosts
          .filter((other) => other !== host)
          .map((other) => ({ from: host.name, to: other.name, percent: LOST_OF_A_HUNDRED })),
      ),
    ),
  },
  {
    name: 'network-delayed',
    what: `everything between hosts is late by about ${2 * DELAY_MILLIS} ms`,
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: SAFE,
    impossible: whyNoDelay,
    begin: async ({ cluster: { network, hosts } }) => {
      for (const host of hosts) await network.delay(host.name, DELAY_MILLIS);
      return async () => {
        for (const host of hosts) await network.delay(host.name, undefined);
      };
    },
  },
  {
    name: 'network-slow',
    what: `the lines of all hosts carry ${SLOW_KILOBITS_PER_SECOND} kbit/s; packets wait up to a second`,
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: SAFE,
    begin: async ({ cluster: { network, hosts } }) => {
      for (const host of hosts) await network.throttle(host.name, SLOW_KILOBITS_PER_SECOND);
      return async () => {
        for (const host of hosts) await network.throttle(host.name, undefined);
      };
    },
  },
];
