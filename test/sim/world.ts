import { createHash } from 'node:crypto';
import type { Command, CommandAnswer } from '../../src/agent/facade.ts';
import type { Settings } from '../../src/core/settings.ts';
import type { Random } from '../../src/ports/clock.ts';
import { clusterPrefix } from '../../src/wire/consul/keys.ts';
import { FakeConsul } from '../harness/fake-store.ts';
import type { FakeStore } from '../harness/fake-store.ts';
import { seededRandom } from '../harness/fake-store-clock.ts';
import { someSettings } from '../harness/settings.ts';
import type { SettingsGiven } from '../harness/settings.ts';
import { Checks } from './checks.ts';
import { Clients } from './clients.ts';
import { Durability } from './durability.ts';
import { EventQueue } from './events.ts';
import { explain } from './explain.ts';
import { Host } from './host.ts';
import type { Machine, Scene } from './model.ts';
import { Network } from './network.ts';
import { HostClock, SimProcess } from './process.ts';
import type { Branch, Position } from './wal.ts';

const SCOPE = 'demo';
const NAMESPACE = 'service';
const KEPT_LINES = 400;

export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  /** Instead of what the seed gives. */
  readonly random?: Random;
  /** Longest deviation of a host's clock rate. */
  readonly drift?: number;
  readonly settings?: SettingsGiven;
  /** All of it unless given. */
  readonly keptWalBytes?: number;
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
  readonly hosts: readonly Host[];
  readonly clients: Clients;
  readonly durability: Durability;
  readonly keptWalBytes: number;
  readonly checks: Checks;
  readonly prefix = clusterPrefix(NAMESPACE, SCOPE);
  readonly violations: Violation[] = [];
  onAnswer: (command: Command, answer: CommandAnswer) => void = () => undefined;
  readonly #random: Random;
  readonly #settings: SettingsGiven;
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  readonly #onTrace: ((line: string) => void) | undefined;
  #branches = 0;
  #systems = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#random = options.random ?? seededRandom(options.seed);
    this.#settings = options.settings ?? {};
    this.#onTrace = options.onTrace;
    this.keptWalBytes = options.keptWalBytes ?? Infinity;
    this.queue = new EventQueue(() => {
      this.checks.afterEvent();
    });
    this.network = new Network(this.queue, this.#random);
    const server = new SimProcess(this.queue, new HostClock(this.queue, 1, 5000));
    this.consul = new FakeConsul({
      clock: server.clock(),
      random: this.#random,
      latencyMillis: () => this.network.delay(),
    });
    const drift = options.drift ?? 0.005;
    this.hosts = Array.from({ length: options.members }, (_, index) => {
      const name = `pg${index + 1}`;
      const rate = 1 + (2 * this.chance() - 1) * drift;
      const clock = new HostClock(this.queue, rate, 10_000 + this.chance() * 1e6);
      return new Host(this, { name, address: name }, clock);
    });
    this.checks = new Checks(this, this.consul, this.prefix);
    const record = () => this.consul.server.list(this.prefix).record;
    this.durability = new Durability(this, record);
    this.clients = new Clients(this, this.durability);
  }

  /** Uniform in [0, 1). */
  chance(): number {
    return this.#random.fraction();
  }

  get now(): number {
    return this.queue.now;
  }

  host(name: string): Host {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  settingsOf({ name, address }: Machine): Settings {
    const settings = someSettings({ ...this.#settings, name });
    const urls = {
      apiUrl: `http://${address}:8008/patroni`,
      connUrl: `postgres://${address}:5432/postgres`,
    };
    return { ...settings, member: { ...settings.member, ...urls } };
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
    return explain(this.hosts, this.checks.generation());
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
