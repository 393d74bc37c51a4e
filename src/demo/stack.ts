import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../core/json.ts';
import type { Millis } from '../core/time.ts';
import type { Binaries } from './binaries.ts';
import { postgresMajor } from './binaries.ts';
import { DemoCluster } from './cluster.ts';
import type { ConsulServers } from './consul-servers.ts';
import { startConsul } from './consul-servers.ts';
import type { HaproxyServer } from './haproxy-server.ts';
import { startHaproxy } from './haproxy-server.ts';
import type { DemoMember } from './member.ts';
import { provision } from './provision.ts';
import type { RunDirectory } from './run-directory.ts';
import type { Screen } from './screen.ts';
import { CREATE_WRITES, Writer } from './writer.ts';
import { until } from './wait.ts';
import { DemoError } from './demo-error.ts';

/** A Consul, the members, HAProxy in front, and two clients that write all the time. */
export interface Stack {
  readonly run: RunDirectory;
  readonly consul: ConsulServers;
  readonly cluster: DemoCluster;
  readonly haproxy: HaproxyServer;
  /** Tries the members by itself, as a libpq client with several hosts. */
  readonly direct: Writer;
  /** Knows only HAProxy. */
  readonly proxied: Writer;
  /** Lease time of the cluster. */
  readonly ttlMillis: Millis;
  /** libpq password file for the person who tries the cluster. */
  readonly passwordFile: string;
}

/** Bounds for a machine that does other things too; a healthy one needs a tenth. */
export const LIMITS = {
  bootstrapMillis: 90_000,
  takeoverMillis: 60_000,
  rejoinMillis: 120_000,
  proxyMillis: 20_000,
  writeMillis: 30_000,
} as const;

const DEFAULT_TTL_SECONDS = 3;
const WRITES_BEFORE_EVENTS = 50;

async function findServers(screen: Screen): Promise<Binaries> {
  const provided = await provision(process.env, (line) => {
    screen.step('fetching', line);
  });
  if (!provided.ok) {
    const { message, remedy } = provided.error;
    throw new DemoError(remedy === undefined ? message : `${message}\n${remedy}`);
  }
  return provided.value;
}

async function startCluster(
  screen: Screen,
  run: RunDirectory,
  servers: Binaries,
  consul: ConsulServers,
  members: number,
): Promise<[DemoCluster, DemoMember]> {
  const cluster = await DemoCluster.create({
    run,
    pgBinDir: servers.pgBinDir,
    consulAddresses: consul.addresses,
    members,
    usualPorts: true,
  });
  cluster.start();
  const names = cluster.members.map((member) => member.name).join(', ');
  screen.step('members', `${names} started, each with an agent and PostgreSQL of its own`);
  const primary = await screen.during(
    'waiting for the first primary',
    cluster.waitForPrimary(LIMITS.bootstrapMillis),
  );
  screen.step('bootstrap', `${primary.name} initialised the cluster and leads it`);
  await screen.during(
    'waiting for the replicas to be cloned',
    cluster.waitForStreaming(primary, LIMITS.rejoinMillis),
  );
  const replicas = cluster.others(primary).map((member) => member.name);
  screen.step('replicas', `${replicas.join(' and ')} stream from ${primary.name}`);
  return [cluster, primary];
}

function writePasswordFile(run: RunDirectory, cluster: DemoCluster): string {
  const file = join(run.path, 'pgpass');
  const { username, password } = cluster.logins.superuser;
  writeFileSync(file, `127.0.0.1:*:*:${username}:${password.reveal()}\n`, { mode: 0o600 });
  return file;
}

async function configuredTtlMillis(primary: DemoMember): Promise<Millis> {
  const config: JsonObject = (await primary.rest('/config')).body;
  const ttl = config['ttl'];
  return (typeof ttl === 'number' ? ttl : DEFAULT_TTL_SECONDS) * 1000;
}

/** Brings everything up, step by step on the screen; throws with a message when something does not come. */
export async function startStack(
  screen: Screen,
  run: RunDirectory,
  members: number,
): Promise<Stack> {
  const servers = await findServers(screen);
  screen.step('servers', `PostgreSQL ${postgresMajor(servers.pgBinDir)}, HAProxy, Consul found`);
  const consul = await screen.during(
    'starting Consul',
    startConsul(run, { program: servers.consul, servers: 1, acl: false }),
  );
  screen.step('consul', `one server at ${consul.addresses.join(', ')}`);
  const [cluster, primary] = await startCluster(screen, run, servers, consul, members);
  const haproxy = await startHaproxy(run, servers.haproxy, cluster.members);
  await haproxy.whenPrimaryIs(primary.name, LIMITS.proxyMillis);
  const { ports } = haproxy;
  screen.step(
    'haproxy',
    `writes at 127.0.0.1:${ports.primary} go to ${primary.name}, reads at 127.0.0.1:${ports.replicas}`,
  );
  await primary.sql(CREATE_WRITES);
  const direct = new Writer({ name: 'direct client', targets: cluster.directTargets() });
  const proxied = new Writer({
    name: 'client of HAProxy',
    targets: cluster.proxiedTargets(ports.primary),
  });
  direct.start();
  proxied.start();
  await until(
    'the first writes',
    () => Math.min(direct.log.count, proxied.log.count) >= WRITES_BEFORE_EVENTS,
    { timeoutMillis: LIMITS.writeMillis },
  );
  screen.step('writers', 'two clients write a row every 20 ms, one directly, one through HAProxy');
  return {
    run,
    consul,
    cluster,
    haproxy,
    direct,
    proxied,
    ttlMillis: await configuredTtlMillis(primary),
    passwordFile: writePasswordFile(run, cluster),
  };
}
