import { valueOf } from '../../src/core/cluster.ts';
import type { Generation } from '../../src/core/cluster.ts';
import type { FakeConsul } from '../harness/fake-store.ts';
import { judgeHandover, PausedLeases } from './leases.ts';
import type { Machine, Scene } from './model.ts';

/**
 * The names of violations. They are older than the invariants of SPEC.md that they stand for:
 *
 *   A  I3, I2  two servers accept writes at once
 *   B  I3, P7  a server accepts writes without a guardian, after its lease, or under a superseded one
 *   C  I1      a generation has two holders, or is lower than the one before
 *   D  I7      Postgres is started on a directory that is half-made (D1 and up: `src/core/invariants.ts`)
 *   E  I7      a member streams from, or is rewound to, a history that it does not share
 *   H  I3      /primary is answered without a lease, or for long by a server that takes no writes
 *   I2         a generation is given while the lease of the one before is valid on its holder's clock
 *   I4         Postgres is started read-write
 *   I5         an acknowledged commit of a synchronous mode is missing after a promotion, or to a reader
 *   I6         a takeover past somebody who is ahead and able, or too far behind
 *   I9         a commit is acknowledged too long after the lease was last renewed, and nobody has it
 *   P15        a lease that says paused is taken over, and no operator has answered for it
 *   L  I8      no primary, or not everyone behind it, within the bound after healing
 *   S  I8      a planned change of leader fails though nothing has been wrong for a while
 *   bug        an agent ends, or says itself that something cannot be
 */

/** What must be true after every event, and what must become true once all is healed. */
export class Checks {
  readonly #world: Scene;
  readonly #consul: FakeConsul;
  readonly #prefix: string;
  readonly #givenTo = new Map<number, Generation>();
  #version = -1;
  /** What Consul says as of that version. */
  #current: Generation | undefined;
  #newest: Generation | undefined;
  readonly #pauses: PausedLeases;
  /** The store has lost its past: numbers may come again. */
  #forgot = false;

  constructor(world: Scene, consul: FakeConsul, prefix: string) {
    this.#world = world;
    this.#consul = consul;
    this.#prefix = prefix;
    this.#pauses = new PausedLeases(world);
  }

  /** An injected wipe or restore. */
  storeForgets(): void {
    this.#forgot = true;
    this.#newest = undefined;
  }

  generation(): Generation | undefined {
    return valueOf(this.#consul.server.list(this.#prefix).record.generation);
  }

  afterEvent(): void {
    this.#generations();
    const writable: Machine[] = [];
    for (const host of this.#world.hosts) {
      if (host.postgres.writable && !stoodStillAtTheEnd(host)) writable.push(host);
    }
    if (writable.length > 1) {
      const names = writable.map((host) => host.address).join(' and ');
      this.#world.violation('A', `${names} accept writes at once`);
    }
    for (const host of writable) this.#guarded(host);
  }

  /** I1: a number is given once, and only rises. */
  #generations(): void {
    const { version } = this.#consul.server.kv;
    if (version === this.#version) return;
    this.#version = version;
    const now = this.generation();
    this.#current = now;
    const before = this.#newest;
    const { lease } = this.#consul.server.list(this.#prefix).record;
    if (!this.#forgot) this.#pauses.judge(before, now);
    this.#pauses.note(valueOf(lease));
    if (now === undefined || now.id === before?.id) return;
    const given = this.#givenTo.get(now.n);
    this.#world.trace('CONSUL', `generation ${now.n} (${now.id}) of ${now.holder}`);
    if (given !== undefined && given.id !== now.id && !this.#forgot) {
      this.#world.violation(
        'C',
        `generation ${now.n} was given to ${given.holder} and ${now.holder}`,
      );
    }
    if (before !== undefined && now.n <= before.n && !this.#forgot) {
      this.#world.violation('C', `generation ${now.n} after ${before.n}`);
    }
    if (before !== undefined && !this.#forgot) judgeHandover(this.#world, now);
    this.#givenTo.set(now.n, now);
    this.#newest = now;
  }

  /** An operator says that Postgres of the holder is down. */
  holderStatedDown(): void {
    this.#pauses.holderStatedDown();
  }

  /** I3: whoever accepts writes is guarded by a deadline that lies ahead, for a lease nobody superseded. */
  #guarded(host: Machine): void {
    const armed = host.guardian?.armed;
    if (armed === undefined) {
      this.#world.violation('B', `${host.address} accepts writes and no guardian is armed`);
      return;
    }
    const left = armed.paused === true ? 0 : armed.deadline - host.clock.now();
    if (left < 0) {
      this.#world.violation('B', `${host.address} accepts writes ${-left} ms after its lease`);
    }
    const current = this.#current;
    if (current === undefined || current.n < armed.n || current.id === armed.leaseId) return;
    // A number that was given again may come back with another holder from a snapshot.
    if (this.#forgot && current.n === armed.n) return;
    this.#world.violation(
      'B',
      `${host.address} accepts writes under generation ${armed.n} (${armed.leaseId}), Consul has ${current.n} of ${current.holder} (${current.id})`,
    );
  }

  /** One primary that accepts writes, and everyone else streams from it on its own history. */
  healthy(members: readonly Machine[] = this.#world.hosts): boolean {
    const primary = this.primary();
    if (primary === undefined) return false;
    return members.every(
      (host) =>
        host === primary ||
        (host.postgres.state === 'recovery' &&
          host.postgres.receiver.upstream === primary.postgres &&
          host.postgres.position()?.branch === primary.postgres.position()?.branch),
    );
  }

  primary(): Machine | undefined {
    return this.#world.hosts.find((host) => host.postgres.writable);
  }
}

/**
 * A3 lets agent and guardian of a live host run within each `fence_budget`, and the fence begins that
 * much before the deadline. While the host as a whole stands still nobody runs and nobody is served,
 * so only time in which it ran counts. Without a standstill this never excuses anything: from the
 * begin of the fence to the deadline the host runs for a whole budget.
 */
function stoodStillAtTheEnd(host: Machine): boolean {
  const armed = host.guardian?.armed;
  if (armed === undefined || armed.paused === true) return false;
  if (host.clock.now() <= armed.deadline) return false;
  const fenceAt = armed.deadline - armed.fenceBudgetMillis;
  return host.ranMillisSince(fenceAt) <= armed.fenceBudgetMillis;
}
