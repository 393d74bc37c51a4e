import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../core/secret.ts';
import type { Millis } from '../core/time.ts';
import { freePort } from './ports.ts';
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
}

const READY_TIMEOUT_MILLIS = 30_000;
const REQUEST_TIMEOUT_MILLIS = 2_000;
const STOP_GRACE_MILLIS = 5_000;

interface Ports {
  readonly http: number;
  readonly server: number;
  readonly serfLan: number;
}

/** One Consul server on 127.0.0.1 that can be killed, stopped and started again with its data. */
export class ConsulServer {
  readonly name: string;
  /** `127.0.0.1:port` of the HTTP API. */
  readonly address: string;
  readonly #start: () => ProcessHandle;
  #process: ProcessHandle | undefined;

  constructor(name: string, address: string, start: () => ProcessHandle) {
    this.name = name;
    this.address = address;
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

  async stop(): Promise<void> {
    await Promise.all(this.servers.map(async (server) => server.stop()));
  }
}

function configurationOf(
  name: string,
  ports: Ports,
  lanAddresses: readonly string[],
  options: ConsulOptions,
  token: Secret | undefined,
): object {
  return {
    server: true,
    bootstrap_expect: options.servers,
    node_name: name,
    node_id: randomUUID(),
    bind_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    retry_join: lanAddresses,
    retry_interval: '1s',
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    rejoin_after_leave: true,
    disable_update_check: true,
    log_level: 'INFO',
    performance: { raft_multiplier: 1 },
    ...(options.sessionTtlMinMillis === undefined
      ? {}
      : { session_ttl_min: `${options.sessionTtlMinMillis}ms` }),
    ports: {
      http: ports.http,
      server: ports.server,
      serf_lan: ports.serfLan,
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
  const ports: Ports[] = [];
  for (let index = 0; index < options.servers; index += 1) {
    ports.push({ http: await freePort(), server: await freePort(), serfLan: await freePort() });
  }
  const lanAddresses = ports.map((port) => `127.0.0.1:${port.serfLan}`);
  const servers = ports.map((port, index) => {
    const name = options.servers === 1 ? 'consul' : `consul${index + 1}`;
    const folder = join(run.path, name);
    mkdirSync(folder, { mode: 0o700 });
    const file = join(folder, 'server.json');
    const others = lanAddresses.filter((_, other) => other !== index);
    writeFileSync(file, JSON.stringify(configurationOf(name, port, others, options, token)), {
      mode: 0o600,
    });
    chmodSync(file, 0o600);
    return new ConsulServer(
      name,
      `127.0.0.1:${port.http}`,
      () =>
        new ProcessHandle({
          name,
          program: options.program,
          args: ['agent', `-config-file=${file}`, `-data-dir=${join(folder, 'data')}`],
          logFile: run.logFile(name),
          // A proxy of the environment has no business on 127.0.0.1.
          env: { PATH: process.env['PATH'] ?? '', HOME: folder, GOMAXPROCS: '2' },
        }),
    );
  });
  const consul = new ConsulServers(servers, token);
  for (const server of servers) server.start();
  for (const server of servers) await consul.whenReady(server);
  return consul;
}
