import { valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { FakeConsul } from '../harness/fake-store.ts';
import type { Scene } from './model.ts';

/** A member of Patroni's, of the same scope. */
const NAME = 'patroni1';
const SESSION_MILLIS = 60_000;
const DEFAULT_TTL_MILLIS = 3000;
const MILLIS_PER_SECOND = 1000;

/**
 * A process of Patroni's that takes key `leader` when the session of whoever leads has gone, and judges
 * (P9): as long as it stands, and for a ttl after it has vanished, nobody else is given the lead.
 */
export class ForeignLeader {
  readonly #world: Scene;
  readonly #consul: FakeConsul;
  readonly #prefix: string;
  #session: string | undefined;
  #leadsUntil = -Infinity;
  #generation: string | undefined;

  constructor(world: Scene, consul: FakeConsul, prefix: string) {
    this.#world = world;
    this.#consul = consul;
    this.#prefix = prefix;
  }

  get #record(): ClusterRecord {
    return this.#consul.server.list(this.#prefix).record;
  }

  /** False: it leads already. */
  takes(): boolean {
    if (this.#session !== undefined) return false;
    const { server } = this.#consul;
    const path = `${this.#prefix}leader`;
    const before = valueOf(this.#record.leader)?.session;
    if (before !== undefined) server.destroySession(before);
    server.delete(path);
    const session = server.createSession(SESSION_MILLIS);
    const value = Buffer.from(NAME);
    server.kv.transact('', [], [{ kind: 'lock', path, value, session }], () => false);
    server.wakeSpuriously();
    this.#session = session;
    this.#generation = valueOf(this.#record.generation)?.id;
    this.#world.trace('PATRONI', 'takes key leader');
    return true;
  }

  /** Its session ends; it may lead for as long as its ttl. */
  ends(): void {
    if (this.#session === undefined) return;
    this.#consul.server.destroySession(this.#session);
    this.#session = undefined;
    const ttl = valueOf(this.#record.config)?.['ttl'];
    const ttlMillis = typeof ttl === 'number' ? ttl * MILLIS_PER_SECOND : DEFAULT_TTL_MILLIS;
    this.#leadsUntil = this.#world.now + ttlMillis;
    this.#world.trace('PATRONI', 'is gone');
  }

  afterEvent(): void {
    const stands = this.#session !== undefined;
    if (!stands && this.#world.now >= this.#leadsUntil) return;
    const { leader, generation } = this.#record;
    const id = valueOf(generation)?.id;
    if (id !== this.#generation) {
      this.#generation = id;
      this.#world.violation('I2', `generation ${id} is given while Patroni leads`);
    }
    if (stands && valueOf(leader)?.member !== NAME) {
      this.#session = undefined;
      this.#world.violation('I2', 'key leader is taken from Patroni, whose session lives');
    }
  }
}
