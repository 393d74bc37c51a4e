import type { Random } from '../../src/ports/clock.ts';
import type { FakeCall, FakeFault } from '../harness/fake-store.ts';
import type { KvSnapshot } from '../harness/fake-store-kv.ts';
import type { Host } from './host.ts';
import { FAIR } from './network.ts';
import type { World } from './world.ts';

/** What can go wrong. Each seed draws some of these kinds and how often they strike. */
export const FAULTS = [
  'kill-agent',
  'pause-agent',
  'pause-host',
  'crash-host',
  'crash-postgres',
  'kill-guardian',
  'consul-leaderless',
  'cut-consul',
  'cut-peers',
  'isolate',
  'lossy-consul',
  'destroy-session',
  'delete-leader-key',
  'wipe-store',
  'restore-store',
  'switchover',
  'failover',
  'restart',
  'reinitialize',
  'slow-promotion',
  'failing-jobs',
  'slow-fence',
  'bad-weather',
  'consul-oddities',
] as const;

export type FaultKind = (typeof FAULTS)[number];

/** Faults of one run: strikes at random moments, undoes each after a while, and all of them at the end. */
export class Faults {
  readonly #world: World;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly #meanPauseMillis: number;
  readonly #open = new Set<() => void>();
  readonly #consulCuts = new Map<string, number>();
  #leaderless = 0;
  #lossy = 0;
  #snapshots: KvSnapshot[] = [];
  #over = false;

  constructor(world: World, random: Random, kinds: readonly FaultKind[], meanPauseMillis: number) {
    this.#world = world;
    this.#random = random;
    this.#kinds = kinds;
    this.#meanPauseMillis = meanPauseMillis;
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  #next(): void {
    const pause = -Math.log(1 - this.#random.fraction()) * this.#meanPauseMillis;
    this.#world.queue.after(pause, () => {
      if (this.#over) return;
      if (this.#snapshots.length < 20 && this.#random.fraction() < 0.3)
        this.#snapshots.push(this.#world.consul.server.snapshot());
      this.strike(this.#pick(this.#kinds));
      this.#next();
    });
  }

  /** All faults end, and everything that was broken works again. */
  stop(): void {
    this.#over = true;
    for (const heal of this.#open) heal();
    this.#world.network.weather = FAIR;
    for (const host of this.#world.hosts) host.heal();
    this.#world.trace('WORLD', 'healed');
  }

  #pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.#random.fraction() * from.length)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  #between(least: number, most: number): number {
    return least + this.#random.fraction() * (most - least);
  }

  /** The leader is where it hurts most. */
  #someHost(): Host {
    const primary = this.#world.primary();
    return primary !== undefined && this.#random.fraction() < 0.5
      ? primary
      : this.#pick(this.#world.hosts);
  }

  #for(millis: number, heal: () => void): void {
    const once = (): void => {
      if (!this.#open.delete(once)) return;
      heal();
    };
    this.#open.add(once);
    this.#world.queue.after(millis, once);
  }

  strike(kind: FaultKind): void {
    const host = this.#someHost();
    const millis = this.#between(100, this.#random.fraction() < 0.3 ? 15_000 : 5000);
    this.#world.trace('FAULT', `${kind} ${host.address} for ${Math.round(millis)} ms`);
    const struck =
      this.#onHost(kind, host, millis) ||
      this.#onNetwork(kind, host, millis) ||
      this.#onConsul(kind, host, millis) ||
      this.#byOperator(kind, host);
    if (!struck) throw new Error(`no such fault: ${kind}`);
  }

  #onHost(kind: FaultKind, host: Host, millis: number): boolean {
    switch (kind) {
      case 'kill-agent':
        host.killAgent();
        this.#for(millis, () => host.startAgent());
        return true;
      case 'pause-agent': {
        const paused = host.agent?.process;
        paused?.freeze('agent');
        this.#for(millis, () => paused?.thaw('agent'));
        return true;
      }
      case 'pause-host':
        host.freeze();
        this.#for(millis, () => host.thaw());
        return true;
      case 'crash-host':
        host.crash();
        this.#for(millis, () => host.boot());
        return true;
      case 'crash-postgres':
        host.postgres.kill(true);
        return true;
      case 'kill-guardian':
        host.killGuardian();
        return true;
      case 'slow-promotion':
        host.trouble.promoteDelayMillis = this.#between(500, 8000);
        this.#for(millis * 2, () => (host.trouble.promoteDelayMillis = 0));
        return true;
      case 'failing-jobs':
        host.trouble.startFailShare = this.#random.fraction();
        host.trouble.cloneFailShare = this.#random.fraction();
        host.trouble.rewindFailShare = this.#random.fraction();
        this.#for(millis * 2, () =>
          Object.assign(host.trouble, { startFailShare: 0, cloneFailShare: 0, rewindFailShare: 0 }),
        );
        return true;
      case 'slow-fence':
        host.trouble.fenceMillis = 350;
        host.trouble.guardianLateMillis = 150;
        return true;
      default:
        return false;
    }
  }

  #onNetwork(kind: FaultKind, host: Host, millis: number): boolean {
    switch (kind) {
      case 'cut-consul':
        this.#cutConsul(host, millis);
        return true;
      case 'cut-peers':
        this.#cutPeers(host, millis, this.#random.fraction() < 0.5);
        return true;
      case 'isolate':
        this.#cutConsul(host, millis);
        this.#cutPeers(host, millis, true);
        return true;
      case 'bad-weather': {
        this.#world.network.weather = {
          latencyMillis: this.#between(1, 30),
          slowShare: this.#between(0, 0.2),
          slowMillis: this.#between(50, 2000),
          lossShare: this.#between(0, 0.2),
        };
        this.#for(millis, () => (this.#world.network.weather = FAIR));
        return true;
      }
      default:
        return false;
    }
  }

  #cutConsul(host: Host, millis: number): void {
    const { consul } = this.#world;
    const change = (by: number): void => {
      const count = (this.#consulCuts.get(host.address) ?? 0) + by;
      this.#consulCuts.set(host.address, count);
      consul.partition(host.address, count > 0);
    };
    change(1);
    this.#for(millis, () => change(-1));
  }

  #cutPeers(host: Host, millis: number, all: boolean): void {
    const { network } = this.#world;
    const both = this.#random.fraction() < 0.6;
    const outward = this.#random.fraction() < 0.5;
    const others = this.#world.hosts.filter((other) => other !== host);
    if (others.length === 0) return;
    for (const other of all ? others : [this.#pick(others)]) {
      if (both || outward) this.#for(millis, network.cut(host.address, other.address));
      if (both || !outward) this.#for(millis, network.cut(other.address, host.address));
    }
  }

  #onConsul(kind: FaultKind, host: Host, millis: number): boolean {
    const { server } = this.#world.consul;
    switch (kind) {
      case 'consul-leaderless':
        this.#leaderless += 1;
        server.setLeader(false);
        this.#for(millis, () => {
          this.#leaderless -= 1;
          if (this.#leaderless === 0) server.setLeader(true);
        });
        return true;
      case 'lossy-consul':
        this.#loseAnswers(host, millis);
        return true;
      case 'destroy-session': {
        const sessions = [...server.snapshot().sessions];
        if (sessions.length > 0) server.destroySession(this.#pick(sessions));
        return true;
      }
      case 'delete-leader-key':
        server.delete(`${this.#world.prefix}leader`);
        return true;
      case 'wipe-store':
        this.#world.checks.storeForgets();
        server.wipe();
        return true;
      case 'restore-store':
        if (this.#snapshots.length === 0) return true;
        this.#world.checks.storeForgets();
        server.restore(this.#pick(this.#snapshots));
        return true;
      case 'consul-oddities':
        server.wakeSpuriously();
        if (this.#random.fraction() < 0.5 && this.#leaderless === 0) server.changeLeader();
        if (this.#random.fraction() < 0.3) server.kv.reapTombstones();
        return true;
      default:
        return false;
    }
  }

  /** Some requests of one member, or of all, go wrong in one of the ways a network has. */
  #loseAnswers(host: Host, millis: number): void {
    const { consul } = this.#world;
    const everyone = this.#random.fraction() < 0.4;
    const share = this.#between(0.05, 0.6);
    this.#lossy += 1;
    consul.intercept = (call: FakeCall): FakeFault | undefined => {
      if (!everyone && call.member !== host.address) return undefined;
      return this.#world.chance() < share ? this.#fault() : undefined;
    };
    this.#for(millis, () => {
      this.#lossy -= 1;
      if (this.#lossy === 0) consul.intercept = undefined;
    });
  }

  #fault(): FakeFault {
    const draw = this.#world.chance();
    const late = this.#world.chance() * 7000;
    if (draw < 0.25) return { kind: 'lose-reply' };
    if (draw < 0.5) return { kind: 'delay', millis: late };
    if (draw < 0.65) return { kind: 'delay-reply', millis: late };
    if (draw < 0.8) return { kind: 'drop' };
    if (draw < 0.9) return { kind: 'fail', effect: this.#world.chance() < 0.5 };
    return { kind: 'refuse' };
  }

  #byOperator(kind: FaultKind, host: Host): boolean {
    const agent = host.agent;
    const leader = this.#world.primary()?.name ?? host.name;
    switch (kind) {
      case 'switchover':
        agent?.submit({ kind: 'switchover', leader, candidate: this.#candidate() });
        return true;
      case 'failover':
        agent?.submit({ kind: 'failover', candidate: this.#pick(this.#world.hosts).name });
        return true;
      case 'restart':
        agent?.submit({
          kind: 'restart',
          onlyIfPending: false,
          onlyIfRole: undefined,
          onlyIfVersionBelow: undefined,
          timeoutMillis: undefined,
        });
        return true;
      case 'reinitialize':
        agent?.submit({
          kind: 'reinitialize',
          force: false,
          fromLeader: this.#random.fraction() < 0.5,
        });
        return true;
      default:
        return false;
    }
  }

  #candidate(): string | undefined {
    return this.#random.fraction() < 0.5 ? undefined : this.#pick(this.#world.hosts).name;
  }
}
