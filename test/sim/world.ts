import { createHash } from 'node:crypto';
import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import { DEFAULT_TIMING } from '../../src/core/timing.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { SettingsSource } from '../../src/ports/settings-source.ts';
import type { Random } from '../../src/ports/clock.ts';
import { clusterPrefix } from '../../src/wire/consul/keys.ts';
import { FakeConsul } from '../harness/fake-store.ts';
import type { FakeStore } from '../harness/fake-store.ts';
import type { KvSnapshot } from '../harness/fake-store-kv.ts';
import { seededRandom } from '../harness/fake-store-clock.ts';
import type { SettingsGiven } from '../harness/settings.ts';
import { Braking } from './braking.ts';
import { Checks } from './checks.ts';
import { Clients } from './clients.ts';
import { ConsulTroubles } from './consul-troubles.ts';
import { judgeTakeover } from './deference.ts';
import { Durability } from './durability.ts';
import { EventQueue } from './events.ts';
import { explain } from './explain.ts';
import { ForeignLeader } from './foreign-leader.ts';
import { Host } from './host.ts';
import type { Identity, Machine, Made, Scene } from './model.ts';
import { FAIR, Network } from './network.ts';
import { HostClock, SimProcess } from './process.ts';
import { fixedSettings } from './settings-source.ts';
import type { Configurations } from './settings-source.ts';
import type { Branch, Position } from './wal.ts';

const SCOPE = 'demo';
const NAMESPACE = 'service';
const KEPT_LINES = 400;
/** Of the rate of a clock; two of them differ by at most twice as much. */
const DRIFT = 0.005;
/** Keys and sessions of a machine that is gone live on for a while. */
const TWINS_SHOW_MILLIS = 60_000;

export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  /** Instead of what the seed gives. */
  readonly random?: Random;
  /** Longest deviation of a host's clock rate. */
  readonly drift?: number;
  /** The same for all members, and never changed. */
  readonly settings?: SettingsGiven;
  /** Instead of `settings`: a file for each member, and the dynamic configuration. */
  readonly configurations?: Configurations;
  /** The shortest that can come to be in force. */
  readonly leastFenceBudgetMillis?: number;
  /** All of it unless given. */
  readonly keptWalBytes?: number;
  /** Consul's answers are read from bytes, as outside; false: they are what was meant, which is cheaper. */
  readonly readsBytes?: boolean;
  /** Called with every line of the trace. */
  readonly onTrace?: ((line: string) => void) | undefined;
}

export interface Violation {
  readonly rule: string;
  readonly what: string;
  readonly at: number;
}

/** Hosts, the network between them and Consul, under one virtual time: the same seed, the same run. */
export class World implements Scene {
  readonly seed: number;
  readonly queue: EventQueue;
  readonly network: Network;
  readonly consul: FakeConsul;
  readonly consulTroubles: ConsulTroubles;
  readonly hosts: Host[] = [];
  /** States that a backup of Consul was made of. */
  readonly snapshots: KvSnapshot[] = [];
  readonly leastFenceBudgetMillis: number;
  /** What the newest promotion began. */
  newestBranch: Branch | undefined;
  /** Consul has lost its past in this run. */
  storeForgot = false;
  disturbedAt = 0;
  readonly clients: Clients;
  readonly durability: Durability;
  readonly keptWalBytes: number;
  readonly checks: Checks;
  readonly foreign: ForeignLeader;
  readonly prefix = clusterPrefix(NAMESPACE, SCOPE);
  readonly violations: Violation[] = [];
  onAnswer: (command: Command, answer: CommandAnswer) => void = () => undefined;
  readonly #random: Random;
  readonly #settings: SettingsGiven;
  readonly #configurations: Configurations | undefined;
  readonly #drift: number;
  /** Names that two machines have had at once or one after the other, and until when that may show. */
  readonly #twins = new Map<string, number>();
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  readonly #onTrace: ((line: string) => void) | undefined;
  #branches = 0;
  #systems = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#random = options.random ?? seededRandom(options.seed);
    this.#settings = options.settings ?? {};
    this.#configurations = options.configurations;
    this.#drift = options.drift ?? DRIFT;
    this.#onTrace = options.onTrace;
    this.leastFenceBudgetMillis =
      options.leastFenceBudgetMillis ?? DEFAULT_TIMING.fenceBudgetMillis;
    this.keptWalBytes = options.keptWalBytes ?? Infinity;
    this.queue = new EventQueue(() => {
      this.checks.afterEvent();
      this.foreign.afterEvent();
    });
    this.network = new Network(this.queue, this.#random);
    const server = new SimProcess(this.queue, new HostClock(this.queue, 1, 5000));
    this.consul = new FakeConsul({
      clock: server.clock(),
      random: this.#random,
      latencyMillis: () => this.network.delay(),
      readsBytes: options.readsBytes ?? true,
    });
    this.consulTroubles = new ConsulTroubles(this.consul);
    for (let index = 1; index <= options.members; index += 1)
      this.addMachine({ name: `pg${index}`, address: `pg${index}` });
    this.checks = new Checks(this, this.consul, this.prefix);
    this.foreign = new ForeignLeader(this, this.consul, this.prefix);
    this.durability = new Durability(this, () => this.record());
    const braking = new Braking(this, () => this.record());
    this.clients = new Clients(this, this.durability, braking);
  }

  /** Uniform in [0, 1). */
  chance(): number {
    return this.#random.fraction();
  }

  get now(): number {
    return this.queue.now;
  }

  record(): ClusterRecord {
    return this.consul.server.list(this.prefix).record;
  }

  /** An empty machine, with nothing on it that runs. */
  addMachine(identity: Identity): Host {
    // A2: two clocks differ by at most 1 %.
    const rate = 1 + (2 * this.chance() - 1) * this.#drift;
    const clock = new HostClock(this.queue, rate, 10_000 + this.chance() * 1e6);
    if (this.hosts.some(({ name }) => name === identity.name)) this.#noteTwins(identity.name);
    const host = new Host(this, identity, clock);
    this.hosts.push(host);
    return host;
  }

  /** Gone for good, with its disk. */
  removeMachine(host: Host): void {
    host.scrap();
    if (this.hosts.filter(({ name }) => name === host.name).length > 1) this.#noteTwins(host.name);
    this.hosts.splice(this.hosts.indexOf(host), 1);
    this.trace(host.address, 'is gone for good');
  }

  #noteTwins(name: string): void {
    this.#twins.set(name, this.now + TWINS_SHOW_MILLIS);
  }

  hasTwin(name: string): boolean {
    const many = this.hosts.filter((host) => host.name === name).length > 1;
    return many || (this.#twins.get(name) ?? -Infinity) > this.now;
  }

  /** The mistake is found: of two machines with one name the one with less of the data goes. */
  resolveTwins(one: Host, other: Host): void {
    if (!this.hosts.includes(one)) return;
    const [kept, gone] = holdsMore(other, one, this.newestBranch) ? [other, one] : [one, other];
    this.removeMachine(gone);
    kept.startAgent();
  }

  isFree(address: string): boolean {
    return !this.hosts.some((host) => host.address === address || host.name === address);
  }

  get spareNames(): readonly string[] {
    return this.#configurations?.spareNames ?? [];
  }

  /** Its tags keep it from leading. */
  isBarred(host: Machine): boolean {
    return this.#configurations?.isBarred(host.name) ?? false;
  }

  /** Its tags let commits wait for it. */
  maySynchronise(host: Machine): boolean {
    return this.#configurations?.maySynchronise(host.name) ?? true;
  }

  /**
   * Not where a machine has neither data nor belonged to the cluster: it would know nobody who has
   * data, and may found another one.
   */
  storeForgets(happens: () => void): void {
    const isStrange = ({ facts, disk }: Host): boolean =>
      facts.systemIdentifier === undefined && disk.kind !== 'cluster';
    if (this.hosts.some(isStrange)) return;
    this.storeForgot = true;
    this.checks.storeForgets();
    happens();
    this.durability.storeForgets();
  }

  /** Something was broken or repaired just now. */
  disturbed(): void {
    this.disturbedAt = this.now;
  }

  /** Everything that was broken works again. */
  heal(): void {
    this.disturbed();
    this.network.weather = FAIR;
    for (const host of this.hosts) {
      const twin = this.hosts.find((other) => other !== host && other.name === host.name);
      if (twin !== undefined) this.resolveTwins(host, twin);
    }
    for (const host of this.hosts) host.heal();
  }

  onDecision(machine: Machine, made: Made): void {
    const host = this.hosts.find((other) => other === machine);
    if (host !== undefined) judgeTakeover(this, host, made);
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  settingsFor(host: Machine): SettingsSource {
    return this.#configurations?.settingsFor(host) ?? fixedSettings(host, this.#settings);
  }

  connectStore(host: Machine, process: SimProcess): FakeStore {
    return this.consul.connect({
      scope: SCOPE,
      namespace: NAMESPACE,
      memberName: host.address,
      sessionTtlMillis: 10_000,
      clock: process.clock(),
    });
  }

  /** Whoever accepts writes. */
  primary(): Host | undefined {
    return this.hosts.find((host) => host.postgres.writable);
  }

  newBranch(timeline: number, parent: Branch['parent']): Branch {
    this.#branches += 1;
    return { serial: this.#branches, timeline, parent };
  }

  onPromoted(host: Machine, log: Position): void {
    this.newestBranch = host.postgres.position()?.branch;
    this.durability.promoted(host, log);
  }

  newSystemIdentifier(): string {
    this.#systems += 1;
    return `70000000000000000${this.#systems}`;
  }

  /** One line of what happened; the hash of all lines tells whether two runs were the same. */
  trace(who: string, what: string): void {
    const line = `${(this.now / 1000).toFixed(4).padStart(9)} ${who.padEnd(7)} ${what}`;
    this.#hash.update(line);
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines.splice(0, KEPT_LINES);
    this.#onTrace?.(line);
  }

  /** What every agent says of itself, for whoever reads a failure. */
  explain(): readonly string[] {
    return explain(this.hosts, this.record());
  }

  lastLines(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex');
  }

  violation(rule: string, what: string): void {
    this.trace('WORLD', `VIOLATION ${rule}: ${what}`);
    this.violations.push({ rule, what, at: this.now });
  }

  /** Agents one after the other, as on hosts that boot together. */
  boot(): void {
    for (const host of this.hosts) {
      this.queue.after(this.chance() * 500, () => {
        host.startAgent();
      });
    }
    this.clients.start();
  }

  /** Runs for so long, and ends early at the first violation. */
  async run(millis: number): Promise<void> {
    await this.queue.runUntil(this.now + millis, () => this.violations.length > 0);
  }

  /** Runs until the condition holds, at most for so long; whether it did. */
  async until(condition: () => boolean, boundMillis: number): Promise<boolean> {
    let held = condition();
    if (held) return true;
    const end = this.now + boundMillis;
    await this.queue.runUntil(end, () => {
      held = condition();
      return held || this.violations.length > 0;
    });
    return held;
  }
}

/** Whether the first is on the newest history and the second is not, or has less of it. */
function holdsMore(a: Host, b: Host, newest: Branch | undefined): boolean {
  const [one, other] = [a.postgres.position(), b.postgres.position()];
  if (one === undefined || one.branch !== newest) return false;
  return other === undefined || other.branch !== newest || one.end > other.end;
}
