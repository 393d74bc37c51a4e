import type { Fault, Heal, Scene } from '../fault.ts';
import { CONSUL_ELECTION, NOTHING, ONE_FAILOVER, ONE_HOST, SAFE } from './allowances.ts';

const UNTIL_SUCCEEDED = {
  holdMillis: { short: 15_000, full: 30_000 },
  untilSucceeded: true,
} as const;

/** Done once, and nothing has to be undone: whoever has to notice does. */
const once =
  (act: (scene: Scene) => void | Promise<void>): Fault['begin'] =>
  async (scene): Promise<Heal> => {
    await act(scene);
    return async () => Promise.resolve();
  };

/** Signals something of the primary's host, and again at the end. */
const between =
  (
    begin: (scene: Scene) => void | Promise<void>,
    end: (scene: Scene) => void | Promise<void>,
  ): Fault['begin'] =>
  async (scene): Promise<Heal> => {
    await begin(scene);
    return async () => end(scene);
  };

const IN_PLACE = {
  ...NOTHING,
  generations: [0, 1],
  gapMillis: 6_000,
  lostSpanMillis: 100,
} as const;

/** Processes that end or stand still. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'agent-killed',
    what: 'SIGKILL of the primary’s agent, which stays away',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_FAILOVER,
    begin: between(
      async ({ primary }) => primary.killAgent(),
      ({ primary }) => {
        primary.startAgent();
      },
    ),
  },
  {
    name: 'agent-restarted',
    what: 'SIGKILL of the primary’s agent, started again by its supervisor within a second',
    holdMillis: { short: 4_000, full: 6_000 },
    allowance: NOTHING,
    begin: once(async ({ primary }) => primary.crashAgent()),
  },
  {
    name: 'agent-frozen',
    what: 'SIGSTOP of the primary’s agent until another leads, then SIGCONT',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_FAILOVER,
    begin: between(
      ({ primary }) => {
        primary.member.agent.signal('SIGSTOP');
      },
      ({ primary }) => {
        primary.member.agent.signal('SIGCONT');
      },
    ),
  },
  {
    name: 'guardian-killed',
    what: 'SIGKILL of the primary’s guardian',
    holdMillis: { short: 2_500, full: 8_000 },
    allowance: IN_PLACE,
    begin: once(({ primary }) => {
      primary.signalGuardian('SIGKILL');
    }),
  },
  {
    name: 'guardian-frozen',
    what: 'SIGSTOP of the primary’s guardian, then SIGCONT',
    holdMillis: { short: 5_000, full: 15_000 },
    allowance: SAFE,
    begin: between(
      ({ primary }) => {
        primary.signalGuardian('SIGSTOP');
      },
      ({ primary }) => {
        primary.thaw();
      },
    ),
  },
  {
    name: 'postmaster-killed',
    what: 'SIGKILL of the primary’s postmaster',
    holdMillis: { short: 2_500, full: 8_000 },
    allowance: IN_PLACE,
    begin: once(({ primary }) => {
      primary.signalPostmaster('SIGKILL');
    }),
  },
  {
    name: 'postgres-killed',
    what: 'SIGKILL of all processes of the primary’s Postgres',
    holdMillis: { short: 2_500, full: 8_000 },
    allowance: IN_PLACE,
    begin: once(({ primary }) => {
      primary.signalPostgres('SIGKILL');
    }),
  },
  {
    name: 'postmaster-frozen',
    what: 'SIGSTOP of the primary’s postmaster alone, then SIGCONT',
    holdMillis: { short: 6_000, full: 30_000 },
    allowance: SAFE,
    begin: between(
      ({ primary }) => {
        primary.signalPostmaster('SIGSTOP');
      },
      ({ primary }) => {
        primary.thaw();
      },
    ),
  },
  {
    name: 'postgres-frozen',
    what: 'SIGSTOP of all processes of the primary’s Postgres, then SIGCONT',
    holdMillis: { short: 8_000, full: 30_000 },
    allowance: SAFE,
    begin: between(
      ({ primary }) => {
        primary.signalPostgres('SIGSTOP');
      },
      ({ primary }) => {
        primary.thaw();
      },
    ),
  },
  {
    name: 'host-killed',
    what: 'SIGKILL of everything on the primary’s host, booted again later',
    ...UNTIL_SUCCEEDED,
    allowance: ONE_HOST,
    begin: between(
      async ({ primary }) => primary.kill(),
      ({ primary }) => {
        primary.boot();
      },
    ),
  },
  {
    name: 'host-frozen',
    what: 'SIGSTOP of everything on the primary’s host, then SIGCONT',
    holdMillis: { short: 7_000, full: 30_000 },
    allowance: { ...ONE_HOST, staleSpanMillis: 50 },
    begin: between(
      ({ primary }) => {
        primary.freeze();
      },
      ({ primary }) => {
        primary.thaw();
      },
    ),
  },
  {
    name: 'standby-host-killed',
    what: 'SIGKILL of everything on a standby’s host, booted again later',
    holdMillis: { short: 4_500, full: 10_000 },
    allowance: NOTHING,
    begin: between(
      async ({ cluster, standbys }) => (await cluster.quietStandby(standbys)).kill(),
      ({ standbys }) => {
        for (const standby of standbys) standby.boot();
      },
    ),
  },
  {
    name: 'standby-host-with-consul-leader-killed',
    what: 'SIGKILL of everything on the host of a standby and of Consul’s leader, booted again later',
    holdMillis: { short: 6_000, full: 20_000 },
    allowance: CONSUL_ELECTION,
    begin: between(
      async ({ cluster, primary }) => (await cluster.loudStandby(primary)).kill(),
      ({ standbys }) => {
        for (const standby of standbys) standby.boot();
      },
    ),
  },
  {
    name: 'standby-host-frozen',
    what: 'SIGSTOP of everything on a standby’s host, then SIGCONT',
    holdMillis: { short: 4_500, full: 30_000 },
    allowance: NOTHING,
    begin: between(
      async ({ cluster, standbys }) => {
        (await cluster.quietStandby(standbys)).freeze();
      },
      ({ standbys }) => {
        for (const standby of standbys) standby.thaw();
      },
    ),
  },
  {
    name: 'everything-killed',
    what: 'SIGKILL of everything on all hosts, all booted again at once',
    holdMillis: { short: 1_000, full: 5_000 },
    allowance: { ...SAFE, generations: [0, 1], lostSpanMillis: 100 },
    begin: between(
      async ({ cluster }) => {
        await Promise.all(cluster.hosts.map(async (host) => host.kill()));
      },
      ({ cluster }) => {
        for (const host of cluster.hosts) host.boot();
      },
    ),
  },
];
