import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Millis } from '../../src/core/time.ts';
import { runCommand } from '../../src/demo/command.ts';
import type { Place } from '../../src/demo/place.ts';
import type { RunDirectory } from '../../src/demo/run-directory.ts';
import { ENTER, markOwner, namespaceName, sweepDeadRuns } from './namespaces.ts';

/** Who a packet is from or for: a host by its name, or `clients`, which is the machine that looks on. */
export type End = string;

/** Packets of one direction that get lost; all of them unless something else is said. */
export interface Loss {
  readonly from: End;
  readonly to: End;
  /** Of a hundred, by chance. */
  readonly percent?: number;
  /** Only those from or to one of these TCP or UDP ports. */
  readonly ports?: readonly number[];
}

const CLIENTS: End = 'clients';

/** Consul's: HTTP, RPC between servers, gossip. */
export const CONSUL_PORTS = [8300, 8301, 8500] as const;

const COMMAND_TIMEOUT_MILLIS = 10_000;
/** RFC 2544 keeps 198.18.0.0/15 for tests of networks: no real host has such an address. */
const PREFIXES = 256;
const CLIENTS_HOST_NUMBER = 254;

async function run(program: string, ...args: string[]): Promise<void> {
  const outcome = await runCommand(program, args, { timeoutMillis: COMMAND_TIMEOUT_MILLIS });
  if (outcome.code === 0) return;
  throw new Error(`${program} ${args.join(' ')}: ${outcome.lines.join(' ')}`);
}

/** 198.18.N, not in use by another run on this machine. */
function freePrefix(): string {
  const used = new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((each) => each?.address.split('.').slice(0, 3).join('.')),
  );
  for (let offset = 0; offset < PREFIXES; offset += 1) {
    const prefix = `198.18.${(process.pid + offset) % PREFIXES}`;
    if (!used.has(prefix)) return prefix;
  }
  throw new Error('no free network below 198.18.0.0/16');
}

function ruleOf({ from, to, percent, ports }: Loss): string[] {
  const path = `iifname "${from}" oifname "${to}"`;
  const chance = percent === undefined ? '' : ` numgen random mod 100 < ${percent}`;
  if (ports === undefined) return [`${path}${chance} drop`];
  const set = `{ ${ports.join(', ')} }`;
  return ['sport', 'dport'].flatMap((side) => [
    `${path} meta l4proto { tcp, udp } th ${side} ${set}${chance} drop`,
  ]);
}

/** Rules of the switch for what gets lost. Its ports bear the names of who is behind them. */
export function renderRules(losses: readonly Loss[]): string {
  const rules = losses.flatMap(ruleOf).map((rule) => `    ${rule}`);
  return [
    'table bridge faults',
    'delete table bridge faults',
    'table bridge faults {',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    ...rules,
    '  }',
    '}',
    '',
  ].join('\n');
}

/**
 * Network namespaces that stand for hosts, on a bridge in a namespace of its own, with a leg for the
 * clients on this machine. What happens to packets happens in the bridge, so that whoever is behind it
 * notices nothing but silence; a host without a network still reaches itself.
 */
export class ChaosNetwork {
  readonly places: ReadonlyMap<string, Place>;
  readonly #run: RunDirectory;
  readonly #switch: string;
  readonly #namespaces: ReadonlyMap<string, string>;
  #losses: readonly Loss[] = [];
  #written = 0;

  private constructor(
    run: RunDirectory,
    bridge: string,
    namespaces: ReadonlyMap<string, string>,
    places: ReadonlyMap<string, Place>,
  ) {
    this.#run = run;
    this.#switch = bridge;
    this.#namespaces = namespaces;
    this.places = places;
  }

  /** Makes the hosts; they go away with the run's directory. */
  static async create(run: RunDirectory, hosts: readonly string[]): Promise<ChaosNetwork> {
    await sweepDeadRuns();
    markOwner(run.path);
    const prefix = freePrefix();
    const bridge = namespaceName('switch');
    const namespaces = new Map(hosts.map((name) => [name, namespaceName(name)]));
    run.whenRemoved(() => {
      // The pairs of interfaces go with the namespaces in which one of their ends is.
      for (const name of [bridge, ...namespaces.values()]) {
        spawnSync('ip', ['netns', 'delete', name], {
          stdio: 'ignore',
          timeout: COMMAND_TIMEOUT_MILLIS,
        });
      }
    });
    const ip = async (namespace: string, command: string): Promise<void> =>
      run$(`-n ${namespace} ${command}`);
    for (const name of [bridge, ...namespaces.values()]) await run$(`netns add ${name}`);
    await ip(bridge, 'link add bridge type bridge stp_state 0 forward_delay 0');
    await ip(bridge, 'link set bridge up');
    const places = new Map<string, Place>();
    for (const [index, [host, namespace]] of [...namespaces].entries()) {
      const address = `${prefix}.${index + 1}`;
      await ip(bridge, `link add ${host} type veth peer name eth0 netns ${namespace}`);
      await ip(bridge, `link set ${host} master bridge up`);
      await ip(namespace, 'link set lo up');
      await ip(namespace, `address add ${address}/24 dev eth0`);
      await ip(namespace, 'link set eth0 up');
      places.set(host, {
        address,
        enter: [...ENTER, `--net=/run/netns/${namespace}`],
        clients: `${prefix}.0/24`,
        port: async (usual) => Promise.resolve(usual),
      });
    }
    const leg = `chaos${process.pid}`;
    await ip(bridge, `link add ${CLIENTS} type veth peer name ${leg} netns ${process.pid}`);
    await ip(bridge, `link set ${CLIENTS} master bridge up`);
    await run$(`address add ${prefix}.${CLIENTS_HOST_NUMBER}/24 dev ${leg}`);
    await run$(`link set ${leg} up`);
    const network = new ChaosNetwork(run, bridge, namespaces, places);
    await network.lose([]);
    return network;
  }

  placeOf(host: string): Place {
    const place = this.places.get(host);
    if (place === undefined) throw new Error(`no host ${host}`);
    return place;
  }

  get losses(): readonly Loss[] {
    return this.#losses;
  }

  /** From now on exactly these packets get lost, all at once. */
  async lose(losses: readonly Loss[]): Promise<void> {
    this.#losses = losses;
    this.#written += 1;
    const file = join(this.#run.path, `rules-${this.#written}.nft`);
    writeFileSync(file, renderRules(losses));
    const [program, ...args] = [
      ...ENTER,
      `--net=/run/netns/${this.#switch}`,
      'nft',
      '-f',
      file,
    ] as const;
    await run(program, ...args);
  }

  /** Lost from now on beside what already is; answers how to end that. */
  async alsoLose(losses: readonly Loss[]): Promise<() => Promise<void>> {
    await this.lose([...this.#losses, ...losses]);
    return async () => this.lose(this.#losses.filter((loss) => !losses.includes(loss)));
  }

  /** Everybody whom a host can talk to. */
  othersOf(host: string): End[] {
    return [...this.places.keys(), CLIENTS].filter((name) => name !== host);
  }

  /** Pulls the plug of a host, or puts it in again: it sees that it has no carrier. */
  async plug(host: string, state: 'in' | 'out'): Promise<void> {
    await run$(`-n ${this.#switch} link set ${host} ${state === 'in' ? 'up' : 'down'}`);
  }

  /** Makes the line of a host slow in both directions; `undefined` gives it back its speed. */
  async throttle(host: string, kilobitsPerSecond: number | undefined): Promise<void> {
    await this.#shape(
      host,
      kilobitsPerSecond === undefined
        ? undefined
        : `tbf rate ${kilobitsPerSecond}kbit burst 4kb latency 1000ms`,
    );
  }

  /** Everything from and to a host is late by so much, more or less; `undefined` ends that. */
  async delay(host: string, millis: Millis | undefined): Promise<void> {
    await this.#shape(
      host,
      millis === undefined ? undefined : `netem delay ${millis}ms ${millis / 4}ms`,
    );
  }

  async #shape(host: string, shape: string | undefined): Promise<void> {
    const sides = [
      [this.#switch, host],
      [this.#namespaces.get(host) ?? '', 'eth0'],
    ] as const;
    for (const [namespace, device] of sides) {
      const command =
        shape === undefined
          ? `qdisc delete dev ${device} root`
          : `qdisc replace dev ${device} root ${shape}`;
      await run('tc', '-n', namespace, ...command.split(' '));
    }
  }
}

const run$ = async (command: string): Promise<void> => run('ip', ...command.split(' '));
