import { pause } from '../../../src/demo/wait.ts';
import type { Fault } from '../fault.ts';
import { NOTHING } from './allowances.ts';

const BETWEEN_SERVERS_MILLIS = 1_500;

/** Consul in trouble, while the members see each other. */
export const CONSUL_FAULTS: readonly Fault[] = [
  {
    name: 'consul-all-down',
    what: 'SIGKILL of all Consul servers',
    holdMillis: { short: 6_000, full: 60_000 },
    allowance: NOTHING,
    begin: async ({ cluster: { hosts } }) => {
      await Promise.all(hosts.map(async ({ consul }) => consul.kill()));
      return async () => {
        for (const { consul } of hosts) consul.start();
        return Promise.resolve();
      };
    },
  },
  {
    name: 'consul-one-after-another',
    what: 'SIGKILL of each Consul server in turn, started again after a moment',
    holdMillis: { short: 500, full: 5_000 },
    allowance: NOTHING,
    begin: async ({ cluster: { hosts } }) => {
      for (const { consul } of hosts) {
        await consul.kill();
        await pause(BETWEEN_SERVERS_MILLIS);
        consul.start();
        await pause(BETWEEN_SERVERS_MILLIS);
      }
      return async () => Promise.resolve();
    },
  },
  {
    name: 'consul-leader-killed',
    what: 'SIGKILL of the Consul server that leads',
    holdMillis: { short: 4_500, full: 20_000 },
    allowance: NOTHING,
    begin: async ({ cluster }) => {
      const { consul } = await cluster.consulLeader();
      await consul.kill();
      return async () => {
        consul.start();
        return Promise.resolve();
      };
    },
  },
  {
    name: 'consul-local-restarted',
    what: 'the Consul that the primary’s agent asks is killed and started again',
    holdMillis: { short: 4_500, full: 10_000 },
    allowance: NOTHING,
    begin: async ({ primary: { consul } }) => {
      await consul.kill();
      consul.start();
      return async () => Promise.resolve();
    },
  },
  {
    name: 'consul-local-left',
    what: 'the Consul that the primary’s agent asks leaves in good order, and comes back',
    holdMillis: { short: 6_000, full: 40_000 },
    allowance: NOTHING,
    begin: async ({ cluster, primary }) => {
      // Consul drops the connection of whoever asked it to leave as often as it answers.
      await cluster
        .consulRequest(primary, '/v1/agent/leave', { method: 'PUT' })
        .catch(() => undefined);
      return async () => {
        await primary.consul.stop();
        primary.consul.start();
      };
    },
  },
  {
    name: 'consul-local-frozen',
    what: 'SIGSTOP of the Consul that the primary’s agent asks, then SIGCONT',
    holdMillis: { short: 5_000, full: 30_000 },
    allowance: NOTHING,
    begin: async ({ primary: { consul } }) => {
      consul.process.signal('SIGSTOP');
      return async () => {
        consul.process.signal('SIGCONT');
        return Promise.resolve();
      };
    },
  },
];
