import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../core/secret.ts';
import type { Millis } from '../core/time.ts';
import { LOCALHOST } from './place.ts';
import type { Place } from './place.ts';
import { ProcessHandle } from './process-handle.ts';
import type { RunDirectory } from './run-directory.ts';
import { until } from './wait.ts';
import { DemoError } from './demo-error.ts';

export interface ConsulOptions {
  readonly program: string;
  /** 1, or 3 for one that keeps its majority when a server is lost. */
  readonly servers: number;
  /** Default deny, with a bootstrap token. */
  readonly acl: boolean;
  /** Consul refuses session TTLs below 10 s; tests may lower that floor. */
  readonly sessionTtlMinMillis?: Millis;
  /** Where the servers run, in their order; all on this machine unless told otherwise. */
  readonly places?: readonly Place[];
}

const READY_TIMEOUT_MILLIS = 30_000;
const REQUEST_TIMEOUT_MILLIS = 2_000;
const STOP_GRACE_MILLIS = 5_000;
const USUAL_PORTS = { http: 8500, server: 8300, serfLan: 8301 } as const;

interface Site {
  readonly place: Place;
  readonly http: number;
  readonly server: number;
  readonly serfLan: number;
}

/** One Consul server that can be killed, stopped and started again with its data. */
export class ConsulServer {
  readonly name: string;
  /** `host:port` of the HTTP API. */
  readonly address: string;
  /** `host:port` of its gossip. */
  readonly lanAddress: string;
  readonly #start: () => ProcessHandle;
  #process: ProcessHandle | undefined;

  constructor(name: string, address: string, lanAddress: string, start: () => ProcessHandle) {
    this.name = name;
    this.address = address;
    this.lanAddress = lanAddress;
    this.#start = start;
  }

  start(): void {
    if (this.#process?.isAlive === true) return;
    this.#process = this.#start();
  }

  get process(): ProcessHandle {
    if (this.#process === undefined) throw new DemoError(`${this.name} was never started`);
    return this.#process;
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    await this.#process?.stop(STOP_GRACE_MILLIS);
  }
}

/** GET /v1/operator/autopilot/health of Consul, as far as it is looked at. */
interface AutopilotHealth {
  readonly Servers: readonly { readonly Healthy: boolean; readonly Voter: boolean }[];
}

/** Consul servers that form one datacenter. */
export class ConsulServers {
  readonly servers: readonly ConsulServer[];
  /** Management token; undefined without ACLs. */
  readonly token: Secret | undefined;

  constructor(servers: readonly ConsulServer[], token: Secret | undefined) {
    this.servers = servers;
    this.token = token;
  }

  /** `host:port` of every server. */
  get addresses(): string[] {
    return this.servers.map((server) => server.address);
  }

  /** One HTTP request to a server, with the management token. */
  async request(path: string, init: RequestInit = {}, server = this.servers[0]): Promise<Response> {
    if (server === undefined) throw new DemoError('no Consul server');
    const headers = this.token === undefined ? {} : { 'X-Consul-Token': this.token.reveal() };
    return fetch(`http://${server.address}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MILLIS),
    });
  }

  /** Waits until a server answers a consistent read: it has a leader, and its ACLs are in force. */
  async whenReady(server: ConsulServer): Promise<void> {
    await server.process.whenReady(async () => {
      const answer = await this.request('/v1/kv/pgbaton-probe?consistent', {}, server);
      await answer.arrayBuffer();
      return answer.status === 404 || answer.status === 200;
    }, READY_TIMEOUT_MILLIS);
  }

  /** The server that leads the others. */
  async leader(): Promise<ConsulServer> {
    return until(
      'a Consul leader',
      async () => {
        for (const server of this.servers) {
          const answer = await this.request('/v1/agent/self', {}, server).catch(() => undefined);
          if (answer?.ok !== true) continue;
          const self = (await answer.json()) as { Stats?: { consul?: { leader?: string } } };
          if (self.Stats?.consul?.leader === 'true') return server;
        }
        return undefined;
      },
      { timeoutMillis: READY_TIMEOUT_MILLIS },
    );
  }

  /** Whether every server votes and is up, as the one that leads sees it. */
  async isWhole(): Promise<boolean> {
    for (const server of this.servers) {
      const path = '/v1/operator/autopilot/health';
      const answer = await this.request(path, {}, server).catch(() => undefined);
      // 429: not healthy, and the same body.
      if (answer === undefined || (!answer.ok && answer.status !== 429)) continue;
      const { Servers: seen } = (await answer.json()) as AutopilotHealth;
      return seen.filter(({ Healthy, Voter }) => Healthy && Voter).length === this.servers.length;
    }
    return false;
  }

  /** Tells servers that lost sight of each other to look again; by themselves they do every 30 s. */
  async reunite(): Promise<void> {
    for (const server of this.servers) {
      for (const other of this.servers.filter((each) => each !== server)) {
        const path = `/v1/agent/join/${other.lanAddress}`;
        await this.request(path, { method: 'PUT' }, server).catch(() => undefined);
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map(async (server) => server.stop()));
  }
}

function configurationOf(
  name: string,
  site: Site,
  lanAddresses: readonly string[],
  options: ConsulOptions,
  token: Secret | undefined,
): object {
  return {
    server: true,
    bootstrap_expect: options.servers,
    node_name: name,
    node_id: randomUUID(),
    bind_addr: site.place.address,
    // Twice the same address would be listened on twice.
    client_addr: [...new Set([LOCALHOST.address, site.place.address])].join(' '),
    retry_join: lanAddresses,
    retry_interval: '1s',
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    rejoin_after_leave: true,
    disable_update_check: true,
    log_level: 'INFO',
    performance: { raft_multiplier: 1 },
    // A server that comes back counts at once, and one that is away is waited for: a test that breaks
    // one thing after the other would else break a majority that Consul has made smaller meanwhile.
    autopilot: { cleanup_dead_servers: false, server_stabilization_time: '0s' },
    ...(options.sessionTtlMinMillis === undefined
      ? {}
      : { session_ttl_min: `${options.sessionTtlMinMillis}ms` }),
    ports: {
      http: site.http,
      server: site.server,
      serf_lan: site.serfLan,
      serf_wan: -1,
      dns: -1,
      https: -1,
      grpc: -1,
    },
    ...(token === undefined
      ? {}
      : {
          acl: {
            enabled: true,
            default_policy: 'deny',
            enable_token_persistence: true,
            tokens: { master: token.reveal(), agent: token.reveal() },
          },
        }),
  };
}

/** Starts the servers with all data below the run directory, and waits until each can be used. */
export async function startConsul(
  run: RunDirectory,
  options: ConsulOptions,
): Promise<ConsulServers> {
  const token = options.acl ? new Secret(randomUUID()) : undefined;
  const sites: Site[] = [];
  for (let index = 0; index < options.servers; index += 1) {
    const place = options.places?.[index] ?? LOCALHOST;
    sites.push({
      place,
      http: await place.port(USUAL_PORTS.http),
      server: await place.port(USUAL_PORTS.server),
      serfLan: await place.port(USUAL_PORTS.serfLan),
    });
  }
  const lanAddresses = sites.map(({ place, serfLan }) => `${place.address}:${serfLan}`);
  const servers = sites.map((site, index) => {
    const name = options.servers === 1 ? 'consul' : `consul${index + 1}`;
    const folder = join(run.path, name);
    mkdirSync(folder, { mode: 0o700 });
    const file = join(folder, 'server.json');
    const others = lanAddresses.filter((_, other) => other !== index);
    writeFileSync(file, JSON.stringify(configurationOf(name, site, others, options, token)), {
      mode: 0o600,
    });
    chmodSync(file, 0o600);
    return new ConsulServer(
      name,
      `${site.place.address}:${site.http}`,
      `${site.place.address}:${site.serfLan}`,
      () =>
        new ProcessHandle({
          name,
          enter: site.place.enter,
          program: options.program,
          args: ['agent', `-config-file=${file}`, `-data-dir=${join(folder, 'data')}`],
          logFile: run.logFile(name),
          // A proxy of the environment has no business among them.
          env: { PATH: process.env['PATH'] ?? '', HOME: folder, GOMAXPROCS: '2' },
        }),
    );
  });
  const consul = new ConsulServers(servers, token);
  for (const server of servers) server.start();
  for (const server of servers) await consul.whenReady(server);
  return consul;
}
