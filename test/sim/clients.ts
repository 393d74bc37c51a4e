import { QUIET } from '../harness/quiet.ts';
import type { Braking } from './braking.ts';
import type { Durability } from './durability.ts';
import type { Machine, Scene } from './model.ts';
import { isPartOf } from './wal.ts';
import type { Position } from './wal.ts';

/** Between two writes: where something goes on, and where all is as it was. */
const WRITE_EVERY_MILLIS = 100;
const CALM_EVERY_MILLIS = 250;
/** Since something was broken or repaired, or another server took over. */
const CALM_AFTER_MILLIS = 1500;
/** A server that is neither a primary nor guarded as one is asked in one round of so many. */
const BYSTANDERS_EVERY = 4;
/** Connections of one client that may wait for their commit at once. */
const MOST_WAITING = 4;
const IMPATIENT_SHARE = 0.1;
/** An answer of Postgres counts for 4 s; a paused agent answers late. */
const NOTICED_WITHIN_MILLIS = 6000;

interface Acknowledged {
  readonly at: number;
  readonly host: Machine;
  readonly position: Position;
}

/** Clients that write to whatever accepts writes, on every host, and keep what was acknowledged. */
export class Clients {
  readonly #world: Scene;
  readonly #durability: Durability;
  readonly #braking: Braking;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #waiting = new Map<Machine, number>();
  /** Since when a host answers /primary while its server takes no writes. */
  readonly #wrongSince = new Map<Machine, number>();
  #lost = 0;
  #rounds = 0;
  #leader: Machine | undefined;
  #leadsSince = 0;

  constructor(world: Scene, durability: Durability, braking: Braking) {
    this.#world = world;
    this.#braking = braking;
    this.#durability = durability;
  }

  /** Acknowledged writes so far. */
  get count(): number {
    return this.#acknowledged.length;
  }

  /** Writes of which the client does not know whether they were committed. */
  get unknown(): number {
    return this.#lost;
  }

  get lastAt(): number | undefined {
    return this.#acknowledged.at(-1)?.at;
  }

  /** Whose server has acknowledged a write last. */
  get lastWriter(): Machine | undefined {
    return this.#acknowledged.at(-1)?.host;
  }

  start(): void {
    this.#rounds += 1;
    const all = this.#rounds % BYSTANDERS_EVERY === 0;
    for (const host of this.#world.hosts) {
      if (host.postgres.writable) this.#write(host);
      if (all || host.postgres.state === 'primary' || host.guardian?.armed !== undefined)
        this.#read(host);
    }
    const every = this.#isCalm() ? CALM_EVERY_MILLIS : WRITE_EVERY_MILLIS;
    this.#world.queue.after(every * (0.5 + this.#world.chance()), () => {
      this.start();
      return QUIET;
    });
  }

  /** Nothing has happened for a while, and whoever leads renews its lease and acknowledges. */
  #isCalm(): boolean {
    const { now, disturbedAt, hosts } = this.#world;
    const leader = hosts.find((host) => host.postgres.writable);
    if (leader !== this.#leader) {
      this.#leader = leader;
      this.#leadsSince = now;
    }
    if (leader === undefined || now - Math.max(disturbedAt, this.#leadsSince) < CALM_AFTER_MILLIS)
      return false;
    return isRenewed(leader) && (this.#waiting.get(leader) ?? 0) <= 1;
  }

  #write(host: Machine): void {
    const waiting = this.#waiting.get(host) ?? 0;
    if (waiting >= MOST_WAITING) return;
    this.#waiting.set(host, waiting + 1);
    const { branch } = host.postgres.disk();
    const bytes = 64 + Math.floor(this.#world.chance() * 200);
    let open = true;
    let position: Position | undefined;
    const cancel = host.postgres.commit(bytes, (answer, end) => {
      open = false;
      this.#waiting.set(host, (this.#waiting.get(host) ?? 1) - 1);
      position = { branch, end };
      if (answer === 'lost') this.#lost += 1;
      else this.#acknowledge(host, position);
    });
    if (open && this.#world.chance() < IMPATIENT_SHARE)
      this.#world.queue.after(200 + this.#world.chance() * 3000, cancel);
  }

  #acknowledge(host: Machine, position: Position): void {
    this.#acknowledged.push({ at: this.#world.now, host, position });
    this.#durability.acknowledged(host, position);
    this.#braking.acknowledged(host);
  }

  /** As a load balancer sends it: to whoever answers /primary with 200. */
  #read(host: Machine): void {
    const { agent, postgres } = host;
    if (agent === undefined || agent.process.frozen || !host.running) return;
    if (!agent.agent.status().acceptsWrites) {
      this.#wrongSince.delete(host);
      return;
    }
    this.#judge(host);
    if (postgres.serving) this.#durability.read(host, postgres.visible());
  }

  /** I3: who answers /primary with 200 holds a lease that is the last one given, and is soon known not to serve. */
  #judge(host: Machine): void {
    const armed = host.guardian?.armed;
    const ends = armed !== undefined && armed.paused !== true;
    if (ends && host.clock.now() > armed.deadline)
      this.#world.violation('H', `${host.address} answers /primary after its lease`);
    if (host.postgres.writable && armed !== undefined) {
      this.#wrongSince.delete(host);
      return;
    }
    const since = this.#wrongSince.get(host) ?? this.#world.now;
    this.#wrongSince.set(host, since);
    if (this.#world.now - since > NOTICED_WITHIN_MILLIS)
      this.#world.violation('H', `${host.address} answers /primary and accepts no writes`);
  }

  /** Acknowledged and not in this log: what asynchronous replication has lost. */
  lostIn(log: Position): readonly Acknowledged[] {
    return this.#acknowledged.filter(({ position }) => !isPartOf(position, log));
  }
}

/** More than half of the lease is left, as its guardian knows it. */
function isRenewed({ guardian, clock }: Machine): boolean {
  const armed = guardian?.armed;
  return armed !== undefined && armed.deadline - clock.now() > armed.ttlMillis / 2;
}
