import { Agent } from '../../../src/agent/agent.ts';
import type { Command, CommandAnswer } from '../../../src/agent/facade.ts';
import { valueOf } from '../../../src/core/cluster.ts';
import type { Generation, SyncKey } from '../../../src/core/cluster.ts';
import { fail, ok, done } from '../../../src/core/result.ts';
import type { Result } from '../../../src/core/result.ts';
import type { Policy, Settings, WatchdogSettings } from '../../../src/core/settings.ts';
import { plus } from '../../../src/core/time.ts';
import type { Millis } from '../../../src/core/time.ts';
import type { PeerAddress, Peers } from '../../../src/ports/peers.ts';
import type { Logger, Meter } from '../../../src/ports/telemetry.ts';
import { FakeConsul } from '../../harness/fake-store.ts';
import type { FakeCall } from '../../harness/fake-store.ts';
import { ManualClock, seededRandom } from '../../harness/fake-store-clock.ts';
import { someSettings } from '../../harness/settings.ts';
import { SWITCH, SYSTEM } from '../../harness/views.ts';
import { FakeHost } from './fake-host.ts';
import { FakeLife } from './fake-life.ts';
import { fakePostgres } from './fake-postgres.ts';

const STEP_MILLIS: Millis = 10;
const START_BOUND_MILLIS: Millis = 10_000;

export interface Leadership {
  readonly holder: string;
  readonly id: string;
  readonly n: number;
  readonly timeline?: number;
  readonly beat?: number;
}

interface Measured {
  readonly member: string;
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of durations. */
  readonly millis?: Millis;
}

interface Running {
  readonly agent: Agent;
  readonly life: FakeLife;
}

/** The member, in words of its own, wherever its address is known. */
const apiUrl = (address: string): string => `http://${address}:8008/patroni`;

const addressOf = ({ apiUrl: url }: PeerAddress): string => new URL(url).hostname;

const settingsOf = (name: string, address: string): Settings => {
  const settings = someSettings({ name });
  const connUrl = `postgres://${address}.example:5432/postgres`;
  return { ...settings, member: { ...settings.member, apiUrl: apiUrl(address), connUrl } };
};

/** Consul in memory and shipped agents on modelled hosts, all on one clock that moves when told. */
export class FakeCluster {
  readonly clock = new ManualClock();
  readonly consul: FakeConsul;
  /** Host events, decisions and messages, with the moment and the member. */
  readonly log: string[] = [];
  /** What agents counted and timed. */
  readonly measured: Measured[] = [];
  /** Every moment at which more than one server accepted writes. */
  readonly breaches: string[] = [];
  readonly #hosts = new Map<string, FakeHost>();
  readonly #running = new Map<string, Running>();
  readonly #cut = new Set<string>();
  readonly #settings = new Map<string, Settings>();
  /** How long a request of one member to another is on its way. */
  restMillis: Millis = 1;
  #seed = 0;

  constructor() {
    this.consul = new FakeConsul({
      clock: this.clock,
      random: seededRandom(1),
      latencyMillis: () => 1,
    });
  }

  host(name: string): FakeHost {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const host = new FakeHost(name, this.clock, (event) => {
      this.#write(name, `HOST ${event}`);
      this.#check();
    });
    this.#hosts.set(name, host);
    return host;
  }

  #write(name: string, text: string): void {
    this.log.push(`${this.clock.now()} ${name} ${text}`);
  }

  #check(): void {
    const writable = [...this.#hosts.values()].filter((host) => host.writable);
    if (writable.length > 1)
      this.breaches.push(`${this.clock.now()} ${writable.map((host) => host.name).join(' ')}`);
  }

  writable(): readonly string[] {
    return [...this.#hosts.values()].filter((host) => host.writable).map((host) => host.name);
  }

  put(key: string, value: unknown): void {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.consul.server.put(`service/demo/${key}`, text);
  }

  /** Consul says that this member leads, with these members on the failsafe list. */
  record(leader: Leadership, failsafe: readonly string[]): void {
    this.put('initialize', SYSTEM);
    this.put('config', {});
    this.put('failsafe', Object.fromEntries(failsafe.map((name) => [name, apiUrl(name)])));
    this.takes(leader);
  }

  /** That member has just been given the lease. */
  takes({ holder, id, n, timeline = 3, beat = 5 }: Leadership): void {
    const switchLsn = Number(SWITCH);
    this.put('generation', { n, id, holder, timeline, switch_lsn: switchLsn, ancestors: [] });
    this.put('lease', { id, n, incarnation: 'before', beat, ttl_ms: 3000 });
    this.put('leader', holder);
  }

  beat(id: string, n: number, beat: number): void {
    this.put('lease', { id, n, incarnation: 'before', beat, ttl_ms: 3000 });
  }

  /** The host of a primary whose agent has gone, with so much left of its lease. */
  primary(name: string, id: string, n: number, leftMillis: Millis = 2900): FakeHost {
    const host = this.host(name);
    host.inRecovery = false;
    const promotions = [{ id, timeline: host.timeline, switchLsn: SWITCH }];
    host.facts = { ...host.facts, floor: { n, id }, promotions };
    host.arm({
      leaseId: id,
      n,
      deadline: plus(this.clock.now(), leftMillis),
      ttlMillis: 3000,
      fenceBudgetMillis: 500,
      failsafe: [],
    });
    return host;
  }

  settings(name: string, address = name): Settings {
    return this.#settings.get(name) ?? settingsOf(name, address);
  }

  /** From now on, for this member. */
  setTtl(name: string, ttlMillis: Millis): void {
    const { policy } = this.settings(name);
    this.#setPolicy(name, { ...policy, timing: { ...policy.timing, ttlMillis } });
  }

  setWatchdog(name: string, watchdog: WatchdogSettings | undefined): void {
    this.#settings.set(name, { ...this.settings(name), watchdog });
  }

  setFailsafe(name: string, failsafe: boolean): void {
    this.#setPolicy(name, { ...this.settings(name).policy, failsafe });
  }

  /** As the dynamic configuration of all of them would. */
  setPause(pause: boolean): void {
    for (const name of this.#hosts.keys())
      this.#setPolicy(name, { ...this.settings(name).policy, pause });
  }

  setSynchronous(name: string, synchronous: Partial<Policy['synchronous']>): void {
    const { policy } = this.settings(name);
    this.#setPolicy(name, { ...policy, synchronous: { ...policy.synchronous, ...synchronous } });
  }

  generation(): Generation | undefined {
    return valueOf(this.consul.server.list('service/demo/').record.generation);
  }

  /** Key `sync` as Consul has it. */
  sync(): SyncKey | undefined {
    return valueOf(this.consul.server.list('service/demo/').record.sync);
  }

  #setPolicy(name: string, policy: Policy): void {
    this.#settings.set(name, { ...this.settings(name), policy });
  }

  /** A new process of this member's agent; hosts are known by the members that ought to run there. */
  async start(name: string): Promise<Agent> {
    const started = await this.launch(name);
    if (!started.ok) throw new Error(started.error.message);
    return this.agent(name);
  }

  /** A process with that member's configuration, on any host. */
  async launch(name: string, address = name): Promise<Result<void>> {
    this.#seed += 1;
    const life = new FakeLife(this.clock);
    const host = this.host(address);
    const settings = (): Settings => this.settings(name, address);
    const store = this.consul.connect({
      scope: 'demo',
      namespace: 'service',
      memberName: name,
      sessionTtlMillis: 10_000,
      clock: life.clock,
    });
    const agent = new Agent({
      clock: life.clock,
      random: seededRandom(this.#seed),
      store: life.store(store),
      postgres: fakePostgres(host, life),
      guardian: host.guardian(life),
      watchdog: {
        prepare: async (...wanted) => life.hears(Promise.resolve(host.device.prepare(...wanted))),
      },
      peers: this.#peers(address, life),
      hostState: {
        load: async () => life.hears(Promise.resolve(ok(host.facts))),
        save: async (facts) => {
          if (host.diskFull) return life.hears(Promise.resolve(fail('disk-full', 'no space')));
          host.facts = facts;
          return life.hears(Promise.resolve(done));
        },
      },
      settings: {
        current: settings,
        applyDynamic: settings,
        reload: async () => Promise.resolve(ok(settings())),
        validateDynamic: () => ok({ warnings: [] }),
      },
      logger: this.#logger(address),
      meter: this.#meter(address),
      registry: undefined,
      version: '0',
    });
    this.#running.set(address, { agent, life });
    let started: Result<void> | undefined;
    void agent.start().then((result) => {
      started = result;
    });
    await this.until(() => started !== undefined, START_BOUND_MILLIS);
    return started ?? fail('start', 'the agent does not come to a start');
  }

  agent(name: string): Agent {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`no agent of ${name} runs`);
    return running.agent;
  }

  /** SIGKILL: Postgres and its guardian go on, and so does every request on its way. */
  kill(name: string): void {
    this.#running.get(name)?.life.kill();
    this.#running.delete(name);
  }

  /** Cuts a member off from Consul and from the others. */
  isolate(name: string): void {
    this.consul.partition(name, true);
    this.#cut.add(name);
  }

  /** As before it was isolated. */
  rejoin(name: string): void {
    this.consul.partition(name, false);
    this.#cut.delete(name);
  }

  /** These two cannot reach each other any more. */
  part(one: string, other: string): void {
    this.#cut.add(`${one} ${other}`);
    this.#cut.add(`${other} ${one}`);
  }

  #connects(one: string, other: string): boolean {
    return ![one, other, `${one} ${other}`].some((cut) => this.#cut.has(cut));
  }

  consulAway(away: boolean): void {
    for (const name of this.#hosts.keys()) this.consul.partition(name, away);
  }

  async run(millis: Millis): Promise<void> {
    await this.clock.advance(millis);
  }

  /** Lets time pass until it is so; false: not within the bound. */
  async until(condition: () => boolean, boundMillis: Millis): Promise<boolean> {
    for (let passed = 0; passed < boundMillis; passed += STEP_MILLIS) {
      if (condition()) return true;
      await this.clock.advance(STEP_MILLIS);
    }
    return condition();
  }

  /** Asks a member, and lets time pass until it answers; throws when it does not within the bound. */
  async ask(name: string, command: Command, boundMillis: Millis): Promise<CommandAnswer> {
    let answer: CommandAnswer | undefined;
    void this.agent(name)
      .submit(command)
      .then((said) => {
        answer = said;
      });
    await this.until(() => answer !== undefined, boundMillis);
    if (answer === undefined) throw new Error(`${name} does not answer:\n${this.show()}`);
    return answer;
  }

  /** For the message of a failed expectation. */
  show(): string {
    const explained = [...this.#running].map(([name, { agent }]) => {
      const { rule, why } = agent.explain();
      return `${name}: ${rule} ${why}`;
    });
    return [...this.log.slice(-60), ...explained].join('\n');
  }

  #logger(name: string): Logger {
    return {
      log: (level, message, fields) => {
        if (level !== 'debug') this.#write(name, `${message} ${JSON.stringify(fields ?? {})}`);
      },
    };
  }

  #meter(member: string): Meter {
    return {
      count: (metric, labels = {}) => {
        this.measured.push({ member, metric, labels });
      },
      observe: (metric, millis, labels = {}) => {
        this.measured.push({ member, metric, labels, millis });
      },
    };
  }

  #peers(from: string, life: FakeLife): Peers {
    const ask = async <T>(
      peer: PeerAddress,
      timeoutMillis: Millis,
      question: (agent: Agent) => T,
    ): Promise<Result<T>> =>
      new Promise((resolve) => {
        const address = addressOf(peer);
        const reached = (): Running | undefined =>
          this.#connects(from, address) ? this.#running.get(address) : undefined;
        life.clock.timer(reached() === undefined ? timeoutMillis : this.restMillis, () => {
          const there = reached();
          resolve(
            there === undefined ? fail('peer-unreachable', 'no answer') : ok(question(there.agent)),
          );
        });
      });
    return {
      report: async (peer, millis) => ask(peer, millis, (agent) => agent.peerReport()),
      promise: async (peer, asked, millis) => ask(peer, millis, (agent) => agent.promise(asked)),
      withdraw: async (peer, id, millis) =>
        ask(peer, millis, (agent) => {
          agent.withdraw(id);
        }),
    };
  }
}

export const sets = (call: FakeCall, key: string): boolean =>
  call.operation === 'commit' &&
  call.write?.changes.some((change) => change.kind !== 'delete' && change.entry.key === key) ===
    true;

/** A request for the lease. */
export const isTakeover = (call: FakeCall): boolean =>
  sets(call, 'generation') && sets(call, 'failsafe');

export const isRelease = (call: FakeCall): boolean =>
  call.operation === 'commit' &&
  call.write?.changes.some(
    (change) =>
      change.kind !== 'delete' &&
      change.entry.key === 'lease' &&
      change.entry.value.released !== undefined,
  ) === true;
