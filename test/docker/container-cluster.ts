import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DockerComposeEnvironment, getContainerRuntimeClient, Wait } from 'testcontainers';
import type { ContainerRuntimeClient, StartedDockerComposeEnvironment } from 'testcontainers';
import { Secret } from '../../src/core/secret.ts';
import type { Millis } from '../../src/core/time.ts';
import { REPOSITORY } from '../../src/demo/binaries.ts';
import { proxiedUp } from '../../src/demo/haproxy-server.ts';
import { queryOnce } from '../../src/demo/sql.ts';
import type { SqlRow, SqlTarget } from '../../src/demo/sql.ts';
import { until } from '../../src/demo/wait.ts';

export type MemberName = 'pg1' | 'pg2' | 'pg3';
export const MEMBERS: readonly MemberName[] = ['pg1', 'pg2', 'pg3'];
const CONSUL = ['consul1', 'consul2', 'consul3'];

/** Bounds for a machine that others use too. */
export const BOUNDS = {
  firstWriteMillis: 120_000,
  takeoverMillis: 60_000,
  rejoinMillis: 90_000,
} as const satisfies Readonly<Record<string, Millis>>;

const QUERY_TIMEOUTS = { connectMillis: 2_000, statementMillis: 10_000 };
const POLL_MILLIS = 50;
const LOG_LINES = 100;
const PORTS = { writes: 5000, reads: 5001, stats: 7000, prometheus: 9090 } as const;

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

export interface Executed {
  readonly code: number;
  readonly output: string;
}

/** How testcontainers is to find the engine, and that nobody but us cleans up. */
export function useEngine(host: string): void {
  process.env['DOCKER_HOST'] = host;
  // Its cleaner is an image of its own, which cannot be pulled everywhere; what we start, we end.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
}

/** The cluster of docker/compose.yaml, under a name and on ports of its own; all of it but Grafana. */
export class ContainerCluster {
  readonly project: string;
  readonly #major: string;
  readonly #compose: 'standalone' | 'plugin';
  readonly #client: ContainerRuntimeClient;
  readonly #password = new Secret(randomBytes(12).toString('hex'));
  #environment: StartedDockerComposeEnvironment | undefined;

  private constructor(
    client: ContainerRuntimeClient,
    compose: 'standalone' | 'plugin',
    major: string,
  ) {
    this.project = `pgbaton-test-${major}-${process.pid}`;
    this.#client = client;
    this.#compose = compose;
    this.#major = major;
  }

  static async create(
    engine: { readonly host: string; readonly compose: 'standalone' | 'plugin' },
    major: string,
  ): Promise<ContainerCluster> {
    useEngine(engine.host);
    return new ContainerCluster(await getContainerRuntimeClient(), engine.compose, major);
  }

  /** `docker compose up --detach` of these services, and of those that they depend on. */
  async up(services: readonly string[] = [...CONSUL, ...MEMBERS, 'haproxy', 'prometheus']) {
    const environment = new DockerComposeEnvironment(join(REPOSITORY, 'docker'), 'compose.yaml')
      .withProjectName(this.project)
      .withEnvironment({
        PG_MAJOR: this.#major,
        WRITES_PORT: '0',
        READS_PORT: '0',
        STATS_PORT: '0',
        PROMETHEUS_PORT: '0',
        PGBATON_SUPERUSER_PASSWORD: this.#password.reveal(),
      })
      // What is waited for is told by whoever waits; a port that is listened on says little here.
      .withDefaultWaitStrategy(Wait.forSuccessfulCommand('true'))
      .withClientOptions(
        this.#compose === 'standalone' ? { executable: { standalone: true } } : {},
      );
    this.#environment = await environment.up([...services]);
  }

  /** `docker compose stop`, which is what Ctrl-C of `docker compose up` does. */
  async stop(): Promise<void> {
    await this.#environment?.stop();
  }

  /** Containers, networks and volumes are gone afterwards. */
  async close(): Promise<void> {
    for (const { Id } of await this.#list()) {
      await this.#client.container.dockerode.getContainer(Id).remove({ force: true, v: true });
    }
    await this.#environment?.down({ removeVolumes: true });
  }

  async #list(service?: string) {
    const label = [`com.docker.compose.project=${this.project}`];
    if (service !== undefined) label.push(`com.docker.compose.service=${service}`);
    return this.#client.container.dockerode.listContainers({ all: true, filters: { label } });
  }

  async container(service: string): Promise<Container> {
    const [found] = await this.#list(service);
    if (found === undefined) throw new Error(`there is no container of ${service}`);
    return this.#client.container.getById(found.Id);
  }

  async inspect(service: string) {
    return (await this.container(service)).inspect();
  }

  /** The image's default user runs it, with the variables of the container. */
  async execute(service: string, ...command: readonly string[]): Promise<Executed> {
    const container = await this.container(service);
    const { exitCode, output } = await this.#client.container.exec(container, [...command]);
    return { code: exitCode, output };
  }

  async #network(): Promise<
    ReturnType<ContainerRuntimeClient['container']['dockerode']['getNetwork']>
  > {
    const label = [`com.docker.compose.project=${this.project}`];
    const { dockerode } = this.#client.container;
    const [found] = await dockerode.listNetworks({ filters: { label } });
    if (found === undefined) throw new Error(`there is no network of ${this.project}`);
    return dockerode.getNetwork(found.Id);
  }

  async disconnect(service: string): Promise<void> {
    const { id } = await this.container(service);
    await (await this.#network()).disconnect({ Container: id, Force: false });
  }

  /** Under the name that Compose gave it. */
  async connect(service: string): Promise<void> {
    const { id } = await this.container(service);
    const EndpointConfig = { Aliases: [service] };
    await (await this.#network()).connect({ Container: id, EndpointConfig });
  }

  async #port(service: string, inside: number): Promise<number> {
    const { NetworkSettings } = await this.inspect(service);
    const bound = NetworkSettings.Ports[`${inside}/tcp`]?.[0]?.HostPort;
    if (bound === undefined) throw new Error(`port ${inside} of ${service} is not published`);
    return Number(bound);
  }

  async target(of: 'writes' | 'reads'): Promise<SqlTarget> {
    return {
      host: '127.0.0.1',
      port: await this.#port('haproxy', PORTS[of]),
      user: 'postgres',
      password: this.#password,
      applicationName: 'pgbaton-test',
    };
  }

  async query(text: string, of: 'writes' | 'reads' = 'writes'): Promise<SqlRow[]> {
    return queryOnce(await this.target(of), QUERY_TIMEOUTS, text);
  }

  async prometheus(path: string): Promise<unknown> {
    const port = await this.#port('prometheus', PORTS.prometheus);
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return answer.json();
  }

  /** The first write through HAProxy; answers how long it took to come. */
  async whenWritable(): Promise<Millis> {
    const startedAt = performance.now();
    await until(
      'a write through HAProxy',
      async () => {
        await this.query('create table if not exists first_write (at timestamptz)');
        await this.query('insert into first_write values (now())');
        return true;
      },
      { timeoutMillis: BOUNDS.firstWriteMillis, intervalMillis: POLL_MILLIS },
    );
    return performance.now() - startedAt;
  }

  /** Who HAProxy sends writes to, once it is one. */
  async whenPrimary(): Promise<MemberName> {
    const stats = await this.#port('haproxy', PORTS.stats);
    return until(
      'a primary',
      async () => {
        const up = (await proxiedUp(stats, 'primary')) as MemberName[];
        return up.length === 1 && up[0];
      },
      { timeoutMillis: BOUNDS.takeoverMillis, intervalMillis: POLL_MILLIS },
    );
  }

  /** All members but the primary stream from it, and HAProxy sends reads to them. Answers the primary. */
  async whenWhole(): Promise<MemberName> {
    const stats = await this.#port('haproxy', PORTS.stats);
    return until(
      'all members back',
      async () => {
        const primary = await this.whenPrimary();
        const others = MEMBERS.filter((name) => name !== primary);
        const rows = await this.query(
          "select application_name as name from pg_stat_replication where state = 'streaming'",
        );
        const streaming = new Set(rows.map(({ name }) => String(name)));
        const replicas = await proxiedUp(stats, 'replicas');
        return (
          others.every((name) => streaming.has(name) && replicas.includes(name)) &&
          replicas.length === others.length &&
          primary
        );
      },
      { timeoutMillis: BOUNDS.rejoinMillis, intervalMillis: POLL_MILLIS },
    );
  }

  /** What a container and its Postgres have said since. */
  async logSince(service: string, since: Date): Promise<string> {
    const container = await this.container(service);
    const seconds = since.getTime() / 1000;
    return (await container.logs({ stdout: true, stderr: true, since: seconds })).toString();
  }

  /** The last lines of all containers, for a test that failed. */
  async evidence(): Promise<string> {
    const said: string[] = [];
    for (const { Id, Names, Status } of await this.#list()) {
      const log = await this.#client.container.dockerode
        .getContainer(Id)
        .logs({ stdout: true, stderr: true, tail: LOG_LINES });
      said.push(`=== ${Names.join()} (${Status})\n${log.toString()}`);
    }
    return said.join('\n');
  }
}
