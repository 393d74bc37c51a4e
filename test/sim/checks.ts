import { valueOf } from '../../src/core/cluster.ts';
import type { Generation } from '../../src/core/cluster.ts';
import type { FakeConsul } from '../harness/fake-store.ts';
import type { Machine, Scene } from './model.ts';

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
  /** The store has lost its past: numbers may come again. */
  #forgot = false;

  constructor(world: Scene, consul: FakeConsul, prefix: string) {
    this.#world = world;
    this.#consul = consul;
    this.#prefix = prefix;
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
    this.#givenTo.set(now.n, now);
    this.#newest = now;
  }

  /** I3: whoever accepts writes is guarded by a deadline that lies ahead, for a lease nobody superseded. */
  #guarded(host: Machine): void {
    const armed = host.guardian?.armed;
    if (armed === undefined) {
      this.#world.violation('B', `${host.address} accepts writes and no guardian is armed`);
      return;
    }
    const left = armed.deadline - host.clock.now();
    if (left < 0) {
      this.#world.violation('B', `${host.address} accepts writes ${-left} ms after its lease`);
    }
    const current = this.#current;
    if (current === undefined || current.n < armed.n || current.id === armed.leaseId) return;
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
  if (armed === undefined || host.clock.now() <= armed.deadline) return false;
  const fenceAt = armed.deadline - armed.fenceBudgetMillis;
  return host.ranMillisSince(fenceAt) <= armed.fenceBudgetMillis;
}
