import type { Generation, Lease } from '../../src/core/cluster.ts';
import type { Machine, Scene } from './model.ts';

/**
 * I2: at the moment at which another is given the next generation, no lease of before is valid on its
 * holder's own clock, whether its Postgres happens to take writes or not.
 */
export function judgeHandover(world: Scene, given: Generation): void {
  for (const host of world.hosts) {
    if (host.name === given.holder) continue;
    const leftMillis = validFor(host);
    if (leftMillis > 0)
      world.violation(
        'I2',
        `generation ${given.n} is given to ${given.holder}, and the lease of ${host.address} is valid for another ${leftMillis.toFixed(1)} ms`,
      );
  }
}

/** What is left of a lease: as its agent knows it, or as the guardian keeps it for the next one. */
function validFor(host: Machine): number {
  if (!host.up) return 0;
  if (host.agent !== undefined) {
    const { agent } = host.agent;
    // It has proved its Postgres down and given the lease away, and has not read yet that it is gone.
    const { holdsLease, leaseLeftMillis } = agent.status();
    if (!holdsLease || agent.explain().rule === 'R150') return 0;
    return leaseLeftMillis ?? paused(host);
  }
  // The agent after this one adopts a lease only where Postgres is up: it may have been given away.
  if (!host.postgres.up) return 0;
  const armed = host.guardian?.armed;
  if (armed?.paused === true) return paused(host);
  return armed === undefined ? 0 : armed.deadline - host.clock.now();
}

/** No time ends it; nothing becomes writable under it either, unless Consul has confirmed it lately. */
const paused = (host: Machine): number => (host.postgres.up ? Infinity : 0);

/** The command of an operator is carried out or given up within this. */
const STATED_FOR_MILLIS = 130_000;

/** P15: only its own holder, or a person who answers for it, gets past a lease that says paused. */
export class PausedLeases {
  readonly #world: Scene;
  /** As Consul had it before the write that is judged. */
  #lease: Lease | undefined;
  #statedUntil = -Infinity;

  constructor(world: Scene) {
    this.#world = world;
  }

  note(lease: Lease | undefined): void {
    this.#lease = lease;
  }

  /** An operator says that Postgres of the holder is down. */
  holderStatedDown(): void {
    this.#statedUntil = this.#world.now + STATED_FOR_MILLIS;
  }

  judge(before: Generation | undefined, now: Generation | undefined): void {
    const lease = this.#lease;
    if (before === undefined || now === undefined || now.id === before.id) return;
    if (lease?.id !== before.id || lease.paused !== true || lease.released !== undefined) return;
    if (now.holder === before.holder || this.#world.now <= this.#statedUntil) return;
    this.#world.violation(
      'P15',
      `generation ${now.n} is given to ${now.holder}, past the paused lease of ${before.holder}`,
    );
  }
}
