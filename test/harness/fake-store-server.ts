import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import { plus } from '../../src/core/time.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import type { StoreWrite, WriteAnswer } from '../../src/ports/cluster-store.ts';
import { encodeEntry } from '../../src/adapters/consul/transaction.ts';
import { ClusterDecoder } from './fake-store-decoder.ts';
import { FakeKv } from './fake-store-kv.ts';
import type { KvChange, KvSnapshot } from './fake-store-kv.ts';

/** Consul counts twice the TTL before it ends a session. */
const TTL_MULTIPLIER = 2;
/** How long a request waits for a leader before it is refused. */
const LEADER_HOLD_MILLIS: Millis = 7000;
const LOCK_DELAY_MILLIS: Millis = 1;
/** Changes that a lagging server can be behind by. */
const PAST_KEPT = 30;

interface Session {
  readonly ttlMillis: Millis;
  cancelTimer: () => void;
}

interface Waiter {
  readonly prefix: string;
  readonly index: number;
  readonly wake: () => void;
}

export interface Listing {
  readonly record: ClusterRecord;
  readonly index: number;
}

/** The servers' side: keys, sessions with their timers, blocking queries, and who leads. */
export class FakeConsulServer {
  readonly kv = new FakeKv();
  readonly #decoder: ClusterDecoder;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sessions = new Map<string, Session>();
  readonly #lockDelays = new Map<string, Instant>();
  readonly #waiters = new Set<Waiter>();
  readonly #held = new Set<() => void>();
  readonly #decoded = new Map<string, { readonly version: number; readonly listing: Listing }>();
  /** Newest last. */
  #past: { readonly prefix: string; readonly at: Instant; readonly listing: Listing }[] = [];
  #led = true;

  constructor(clock: Clock, random: Random, readsBytes = true) {
    this.#clock = clock;
    this.#random = random;
    this.#decoder = new ClusterDecoder(readsBytes);
  }

  /** Runs `perform` as soon as there is a leader, even if the asker has gone; after 7 s `refuse`. */
  whenLed(perform: () => void, refuse: () => void): void {
    if (this.#led) {
      perform();
      return;
    }
    const resume = (): void => {
      cancel();
      this.#held.delete(resume);
      perform();
    };
    const cancel = this.#clock.timer(LEADER_HOLD_MILLIS, () => {
      this.#held.delete(resume);
      refuse();
    });
    this.#held.add(resume);
  }

  /** Without a leader nothing is answered and no session ends; a new one starts every TTL again. */
  setLeader(led: boolean): void {
    if (this.#led === led) return;
    this.#led = led;
    for (const [id, session] of this.#sessions) {
      session.cancelTimer();
      if (led) this.#startTimer(id, session);
    }
    if (!led) return;
    for (const resume of this.#held) resume();
  }

  /** Another server takes over at once: what is seen of it is that all sessions live longer. */
  changeLeader(): void {
    this.setLeader(false);
    this.setLeader(true);
  }

  list(prefix: string): Listing {
    const { version } = this.kv;
    const known = this.#decoded.get(prefix);
    if (known?.version === version) return known.listing;
    const { entries, index } = this.kv.list(prefix);
    const listing = { record: this.#decoder.decode(prefix, entries), index };
    this.#decoded.set(prefix, { version, listing });
    this.#past = this.#past.slice(1 - PAST_KEPT);
    this.#past.push({ prefix, at: this.#clock.now(), listing });
    return listing;
  }

  /** What a server that lags behind by so much answers, as far as anybody has looked meanwhile. */
  listBefore(prefix: string, millis: Millis): Listing {
    const present = this.list(prefix);
    if (millis <= 0) return present;
    const until = this.#clock.now() - millis;
    const past = this.#past.filter((entry) => entry.prefix === prefix);
    return (past.findLast(({ at }) => at <= until) ?? past[0])?.listing ?? present;
  }

  /**
   * A blocking query: calls `answer` once, on a change above the index, a spurious wake, or the time.
   * A server that lags behind hears of a change that much later.
   */
  block(
    prefix: string,
    index: number,
    waitMillis: Millis,
    answer: () => void,
    behindMillis: Millis = 0,
  ): () => void {
    if (index <= 0) {
      answer();
      return () => undefined;
    }
    let cancel = (): void => undefined;
    const stop = (): void => {
      cancel();
      this.#waiters.delete(waiter);
    };
    const end = (): void => {
      stop();
      answer();
    };
    const wake = (): void => {
      const unheard = behindMillis > 0 && this.listBefore(prefix, behindMillis).index === index;
      if (!unheard) {
        end();
        return;
      }
      stop();
      cancel = this.#clock.timer(behindMillis, end);
    };
    const waiter: Waiter = { prefix, index, wake };
    if (this.kv.indexOf(prefix) > index) {
      wake();
      return stop;
    }
    const jitter = 1 + this.#random.fraction() / 16;
    cancel = this.#clock.timer(waitMillis * jitter, end);
    this.#waiters.add(waiter);
    return stop;
  }

  commit(prefix: string, write: StoreWrite): WriteAnswer {
    const changes = write.changes.map((change): KvChange => {
      if (change.kind === 'delete') return { kind: 'delete', path: prefix + change.key };
      const { entry: meaning } = change;
      const path = prefix + meaning.key;
      const value = Buffer.from(encodeEntry(meaning), 'utf8');
      return change.kind === 'set'
        ? { kind: 'set', path, value, meaning }
        : { kind: 'lock', path, value, session: change.session, meaning };
    });
    const now = this.#clock.now();
    const outcome = this.kv.transact(prefix, write.guards, changes, (path) => {
      const until = this.#lockDelays.get(path);
      return until !== undefined && now < until;
    });
    if (outcome.kind === 'applied') {
      this.#wakeChanged();
      const indexes = Object.entries(outcome.indexes);
      return {
        kind: 'committed',
        indexes: Object.fromEntries(indexes.map(([path, at]) => [path.slice(prefix.length), at])),
      };
    }
    return {
      kind: 'refused',
      guards: outcome.guards.flatMap((position) => write.guards[position] ?? []),
      lockFailed: outcome.changes.some((position) => write.changes[position]?.kind === 'lock'),
      reason: outcome.reason,
    };
  }

  /** What somebody else writes: any bytes under a full path, unguarded. */
  put(path: string, value: string | Uint8Array): void {
    this.kv.transact('', [], [{ kind: 'set', path, value: Buffer.from(value) }], () => false);
    this.#wakeChanged();
  }

  delete(path: string): void {
    this.kv.transact('', [], [{ kind: 'delete', path }], () => false);
    this.#wakeChanged();
  }

  createSession(ttlMillis: Millis): string {
    const id = this.#random.id();
    const session = { ttlMillis, cancelTimer: () => undefined };
    this.#sessions.set(id, session);
    this.kv.addSession(id);
    this.#startTimer(id, session);
    return id;
  }

  /** False: there is no such session. */
  renewSession(id: string): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined) return false;
    session.cancelTimer();
    this.#startTimer(id, session);
    return true;
  }

  /** By its owner, by a person, or because its time is over. */
  destroySession(id: string): void {
    this.#sessions.get(id)?.cancelTimer();
    this.#sessions.delete(id);
    const until = plus(this.#clock.now(), LOCK_DELAY_MILLIS);
    for (const path of this.kv.removeSession(id)) this.#lockDelays.set(path, until);
    this.#wakeChanged();
  }

  snapshot(): KvSnapshot {
    return this.kv.snapshot();
  }

  /** A backup is played back: the past returns, and with it the sessions of then. */
  restore(snapshot: KvSnapshot): void {
    this.kv.restore(snapshot);
    this.#reconcileSessions(snapshot.sessions);
  }

  /** Consul comes back with nothing. */
  wipe(): void {
    this.kv.wipe();
    this.#reconcileSessions(new Set());
  }

  /** Blocking queries may answer without any reason. */
  wakeSpuriously(): void {
    for (const waiter of this.#waiters) waiter.wake();
  }

  #reconcileSessions(alive: ReadonlySet<string>): void {
    for (const [id, session] of this.#sessions) {
      if (alive.has(id)) continue;
      session.cancelTimer();
      this.#sessions.delete(id);
    }
    for (const id of alive) {
      if (this.#sessions.has(id)) continue;
      const session = { ttlMillis: 10_000, cancelTimer: () => undefined };
      this.#sessions.set(id, session);
      this.#startTimer(id, session);
    }
    this.wakeSpuriously();
  }

  #startTimer(id: string, session: Session): void {
    session.cancelTimer = this.#clock.timer(session.ttlMillis * TTL_MULTIPLIER, () => {
      this.destroySession(id);
    });
  }

  #wakeChanged(): void {
    for (const waiter of this.#waiters) {
      if (this.kv.indexOf(waiter.prefix) > waiter.index) waiter.wake();
    }
  }
}
