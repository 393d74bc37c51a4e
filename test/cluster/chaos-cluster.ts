import { join } from 'node:path';
import type { Millis } from '../../src/core/time.ts';
import { requireBinaries } from '../../src/demo/provision.ts';
import { DemoCluster } from '../../src/demo/cluster.ts';
import type { ConsulServers } from '../../src/demo/consul-servers.ts';
import { startConsul } from '../../src/demo/consul-servers.ts';
import type { RunDirectory } from '../../src/demo/run-directory.ts';
import { until } from '../../src/demo/wait.ts';
import { mountSmallDisk } from '../harness/small-disk.ts';
import { Host } from './host.ts';
import { ChaosNetwork } from './network.ts';
import { Witness } from './witness.ts';

const SCOPE = 'chaos';
const MEMBERS = 3;
/** Enough for data, log and the files of a rewind; small enough to be filled in a moment. */
const DISK_MEGABYTES = 768;
const CONSUL_INTERVAL_MILLIS = 500;
const STORE_TIMEOUT_MILLIS = 20_000;

const LIMITS = {
  bootstrapMillis: 90_000,
  consulMillis: 60_000,
  primaryMillis: 60_000,
  streamingMillis: 120_000,
  servingMillis: 30_000,
} as const satisfies Readonly<Record<string, Millis>>;

/** What `synchronous_mode` is set to. */
export type SynchronousMode = 'off' | 'on' | 'quorum';

/** What key `generation` says, as far as it is looked at here. */
interface Generation {
  readonly n: number;
  readonly holder: string;
}

/** Three hosts, each with a Consul server, an agent and a Postgres, and writers on all of them. */
export class ChaosCluster {
  readonly run: RunDirectory;
  readonly network: ChaosNetwork;
  readonly hosts: readonly Host[];
  readonly witness: Witness;
  readonly synchronousMode: SynchronousMode;
  readonly #consul: ConsulServers;
  readonly #cluster: DemoCluster;

  private constructor(
    run: RunDirectory,
    network: ChaosNetwork,
    consul: ConsulServers,
    cluster: DemoCluster,
    hosts: readonly Host[],
    synchronousMode: SynchronousMode,
  ) {
    this.run = run;
    this.network = network;
    this.#consul = consul;
    this.#cluster = cluster;
    this.hosts = hosts;
    this.witness = new Witness(hosts);
    this.synchronousMode = synchronousMode;
  }

  /** Everything runs, all members stream, and all writers write. All of it goes with the run's directory. */
  static async start(
    run: RunDirectory,
    synchronousMode: SynchronousMode = 'off',
  ): Promise<ChaosCluster> {
    const found = requireBinaries(process.env);
    if (!found.ok) throw new Error(`${found.error.message}: ${found.error.remedy ?? ''}`);
    const names = Array.from({ length: MEMBERS }, (_, index) => `pg${index + 1}`);
    const network = await ChaosNetwork.create(run, names);
    const places = names.map((name) => network.placeOf(name));
    const consul = await startConsul(run, {
      program: found.value.consul,
      servers: MEMBERS,
      acl: false,
      places,
    });
    for (const name of names) mountSmallDisk(run, join(run.path, name), DISK_MEGABYTES);
    const socketFolders = new Map(
      names.map((name) => [name, run.makePrivateFolder(`socket-${name}`)]),
    );
    const cluster = await DemoCluster.create({
      run,
      pgBinDir: found.value.pgBinDir,
      // Everybody asks the Consul of the own host, as is usual.
      consulAddresses: ['127.0.0.1:8500'],
      members: MEMBERS,
      scope: SCOPE,
      dynamic: { synchronous_mode: synchronousMode },
      places,
      local: (member) => ({
        postgresql: {
          parameters: { unix_socket_directories: socketFolders.get(member) ?? '' },
        },
      }),
    });
    const hosts = cluster.members.map((member, index) => {
      const server = consul.servers[index];
      if (server === undefined) throw new Error(`no Consul server for ${member.name}`);
      return new Host({
        member,
        consul: server,
        consulFolder: join(run.path, server.name),
        socketFolder: socketFolders.get(member.name) ?? '',
      });
    });
    const chaos = new ChaosCluster(run, network, consul, cluster, hosts, synchronousMode);
    for (const host of hosts) host.boot();
    const primary = chaos.host((await cluster.waitForPrimary(LIMITS.bootstrapMillis)).name);
    await cluster.waitForStreaming(primary.member, LIMITS.streamingMillis);
    await chaos.witness.start(primary);
    await chaos.settle();
    return chaos;
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  others(than: Host): [Host, Host] {
    const [first, second] = this.hosts.filter((host) => host !== than);
    if (first === undefined || second === undefined) throw new Error('there are three hosts');
    return [first, second];
  }

  /** The member whose /primary says 200 now; undefined when nobody's does. */
  async primary(): Promise<Host | undefined> {
    const [first] = await this.#cluster.primaries();
    return first === undefined ? undefined : this.host(first.name);
  }

  /** Every Consul server is up and votes: nothing is left of what was done to it. */
  async whenConsulIsWhole(): Promise<void> {
    await until(
      'Consul being whole',
      async () => {
        if (await this.#consul.isWhole()) return true;
        await this.#consul.reunite();
        return false;
      },
      { timeoutMillis: LIMITS.consulMillis, intervalMillis: CONSUL_INTERVAL_MILLIS },
    );
  }

  /** Every host is up, one is the primary, all others stream from it, and it serves writes. Answers it. */
  async settle(): Promise<Host> {
    for (const host of this.hosts) host.boot();
    const member = await this.#cluster.waitForPrimary(LIMITS.primaryMillis);
    await this.#cluster.waitForStreaming(member, LIMITS.streamingMillis);
    const primary = this.host(member.name);
    await this.witness.whenServing(primary, LIMITS.servingMillis);
    await this.#whenSynchronous(primary);
    return primary;
  }

  /** Consul says who else has every commit: without that nobody may take over. */
  async #whenSynchronous(primary: Host): Promise<void> {
    if (this.synchronousMode === 'off') return;
    const path = this.synchronousMode === 'on' ? '/sync' : '/quorum';
    const wanted = this.synchronousMode === 'on' ? 1 : this.hosts.length - 1;
    await until(
      `${wanted} standbys that answer for commits`,
      async () => {
        const others = this.others(primary);
        const said = await Promise.all(others.map(async ({ member }) => member.answers(path)));
        return said.filter(Boolean).length === wanted;
      },
      { timeoutMillis: LIMITS.streamingMillis },
    );
  }

  /** The newest generation that any Consul server which has a leader knows. */
  async generation(): Promise<Generation> {
    return until(
      'key generation',
      async () => {
        for (const server of this.#consul.servers) {
          const path = `/v1/kv/service/${SCOPE}/generation?raw&consistent`;
          const answer = await this.#consul.request(path, {}, server).catch(() => undefined);
          if (answer?.ok === true) return (await answer.json()) as Generation;
        }
        return undefined;
      },
      { timeoutMillis: STORE_TIMEOUT_MILLIS },
    );
  }

  /** POST /switchover, as an operator does; answers what was said. */
  async switchover(from: Host, to: Host, timeoutMillis: Millis): Promise<string> {
    return this.#cluster.switchover(from.member, to.member, timeoutMillis);
  }

  /** HTTP request to the Consul of one host. */
  async consulRequest(host: Host, path: string, init: RequestInit = {}): Promise<Response> {
    return this.#consul.request(path, init, host.consul);
  }

  /** The standby whose Consul does not lead the others: without it, Consul itself goes on. */
  async quietStandby([first, second]: readonly [Host, Host]): Promise<Host> {
    const leader = await this.consulLeader().catch(() => undefined);
    return first === leader ? second : first;
  }

  /** Makes Consul elect a server beside a standby, where the one beside the primary leads; answers its host. */
  async loudStandby(primary: Host): Promise<Host> {
    for (;;) {
      const leader = await this.consulLeader();
      if (leader !== primary) return leader;
      await primary.consul.kill();
      await this.consulLeader();
      primary.consul.start();
      await until('all Consul servers', async () => this.#consul.isWhole(), {
        timeoutMillis: LIMITS.consulMillis,
        intervalMillis: CONSUL_INTERVAL_MILLIS,
      });
    }
  }

  /** The host whose Consul server leads the others. */
  async consulLeader(): Promise<Host> {
    const leader = await this.#consul.leader();
    const found = this.hosts.find(({ consul }) => consul === leader);
    if (found === undefined) throw new Error(`no host of ${leader.name}`);
    return found;
  }

  async close(): Promise<void> {
    for (const host of this.hosts) host.abandon();
    await this.witness.stop();
    for (const host of this.hosts) await host.kill();
    this.run.remove();
  }
}
