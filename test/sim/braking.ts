import { acknowledgesForMillis } from '../../src/core/brake.ts';
import { valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { Machine, Scene } from './model.ts';

/** Requests on the host itself, and what the clocks and the network take away. */
const SLACK_MILLIS = 120;
/** From the release of a timer to the act there are so many timers, each of which can be late. */
const TIMERS = 4;

interface Heartbeats {
  readonly millis: number;
  /** The one in force before: the next heartbeat may still come at its pace. */
  readonly before: number;
  readonly changedAt: number;
}

/**
 * I9, judged by the world: a commit that no standby was waited for is acknowledged only while the
 * lease was renewed lately. The guardian's deadline tells when that was.
 */
export class Braking {
  readonly #world: Scene;
  readonly #record: () => ClusterRecord;
  readonly #heartbeats = new Map<string, Heartbeats>();

  constructor(world: Scene, record: () => ClusterRecord) {
    this.#world = world;
    this.#record = record;
  }

  acknowledged(host: Machine): void {
    const { agent, guardian, clock, trouble } = host;
    const armed = guardian?.armed;
    if (armed === undefined || agent === undefined || agent.process.frozen) return;
    // Nobody succeeds it.
    if (armed.paused === true) return;
    // It has not heard of the last renewals.
    if (guardian?.process.frozen === true) return;
    if (this.#isSynchronous(host, armed.n)) return;
    const { timing } = agent.agent.settings().policy;
    const heartbeatMillis = this.#longest(host, timing.heartbeatMillis, armed.ttlMillis);
    const allowed =
      acknowledgesForMillis(heartbeatMillis) + TIMERS * trouble.timerLateMillis + SLACK_MILLIS;
    const unrenewed = clock.now() - (armed.deadline - armed.ttlMillis);
    // Who has just begun to run counts from then, and so does who has just begun to write.
    const { now } = this.#world;
    const awake = now - Math.max(agent.process.runsSince, agent.startedAt);
    const writable = now - host.postgres.promotedAt;
    if (Math.min(unrenewed, awake, writable) <= allowed) return;
    this.#world.violation(
      'I9',
      `${host.address} acknowledges ${Math.round(unrenewed)} ms after its lease was renewed, ${Math.round(allowed)} are allowed`,
    );
  }

  /** Nobody may succeed it but who has its commits, also where Consul has lost that just now. */
  #isSynchronous({ name, facts }: Machine, n: number): boolean {
    const remembered = facts.sync?.n === n ? facts.sync.key.leader : undefined;
    return valueOf(this.#record().sync)?.leader === name || remembered === name;
  }

  #longest(host: Machine, millis: number, ttlMillis: number): number {
    const known = this.#heartbeats.get(host.address);
    if (known === undefined || known.millis !== millis) {
      const before = known?.millis ?? millis;
      this.#heartbeats.set(host.address, { millis, before, changedAt: this.#world.now });
      return Math.max(before, millis);
    }
    const recent = this.#world.now - known.changedAt < 2 * ttlMillis;
    return recent ? Math.max(known.before, millis) : millis;
  }
}
