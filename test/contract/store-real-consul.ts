import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createConsulService } from '../../src/adapters/consul/service.ts';
import type { ConsulService } from '../../src/adapters/consul/service.ts';
import { createConsulStore } from '../../src/adapters/consul/store.ts';
import type { Secret } from '../../src/core/secret.ts';
import type { ConsulServers } from '../../src/demo/consul-servers.ts';
import { freePort } from '../../src/demo/ports.ts';
import { ProcessHandle } from '../../src/demo/process-handle.ts';
import type { ClusterStore } from '../../src/ports/cluster-store.ts';
import type { Logger } from '../../src/ports/telemetry.ts';
import { realClock } from '../harness/fake-store-clock.ts';
import { binaries } from '../harness/servers.ts';
import type { TestConsul } from '../harness/servers.ts';

export interface RealStoreOptions {
  readonly scope: string;
  readonly memberName: string;
  readonly token?: Secret | undefined;
  readonly logger?: Logger;
}

const NO_LOGGER: Logger = { log: () => undefined };

const optionsFor = (addresses: readonly string[], options: RealStoreOptions) => ({
  scope: options.scope,
  namespace: '/service/',
  memberName: options.memberName,
  sessionTtlMillis: 10_000,
  logger: options.logger ?? NO_LOGGER,
  clock: realClock,
  settings: {
    addresses: addresses.map((address) => {
      const { hostname, port } = new URL(`http://${address}`);
      return { host: hostname, port: Number(port) };
    }),
    scheme: 'http' as const,
    token: options.token,
    verify: true,
    cacert: undefined,
    cert: undefined,
    key: undefined,
    datacenter: undefined,
    consistency: 'default' as const,
    checks: [],
    registerService: true,
    serviceTags: [],
    serviceCheckIntervalMillis: 5000,
    serviceCheckTlsServerName: undefined,
  },
});

/** The adapter on addresses such as `127.0.0.1:8500`. */
export const realStore = (
  addresses: readonly string[],
  options: RealStoreOptions,
): ClusterStore & { close(): void } => createConsulStore(optionsFor(addresses, options));

export const realService = (
  addresses: readonly string[],
  options: RealStoreOptions,
): ConsulService => createConsulService(optionsFor(addresses, options));

/** Fails the test when Consul does not answer 200. */
export async function mustSucceed(
  consul: ConsulServers,
  path: string,
  init: RequestInit = {},
): Promise<string> {
  const answer = await consul.request(path, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${text}`);
  return text;
}

export interface ClientAgent {
  readonly address: string;
  start(): Promise<void>;
  /** SIGTERM: the agent leaves its datacenter, and takes the sessions of its node with it. */
  stop(): Promise<void>;
}

/** A Consul agent that is no server, as it runs beside each Postgres. */
export async function clientAgentOf({ run, consul }: TestConsul): Promise<ClientAgent> {
  const members = JSON.parse(await mustSucceed(consul, '/v1/agent/members')) as { Port: number }[];
  const [http, serf] = [await freePort(), await freePort()];
  const data = join(run.path, `agent-${http}`);
  mkdirSync(data);
  let agent: ProcessHandle | undefined;
  return {
    address: `127.0.0.1:${http}`,
    start: async () => {
      agent = new ProcessHandle({
        name: 'consul-agent',
        program: binaries().consul,
        args: [
          'agent',
          '-node=beside-postgres',
          '-bind=127.0.0.1',
          '-client=127.0.0.1',
          `-data-dir=${data}`,
          `-http-port=${http}`,
          `-serf-lan-port=${serf}`,
          '-dns-port=-1',
          '-grpc-port=-1',
          ...members.map(({ Port }) => `-retry-join=127.0.0.1:${Port}`),
          '-retry-interval=200ms',
          '-hcl=leave_on_terminate = true',
          '-hcl=disable_update_check = true',
        ],
        logFile: run.logFile('consul-agent'),
      });
      await agent.whenReady(async () => {
        const answer = await fetch(`http://127.0.0.1:${http}/v1/kv/probe?consistent`);
        return answer.status === 404;
      }, 30_000);
    },
    stop: async () => {
      await agent?.stop(10_000);
    },
  };
}
