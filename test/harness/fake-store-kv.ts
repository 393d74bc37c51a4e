import type { Entry, Guard } from '../../src/ports/cluster-store.ts';
import type { KvEntry } from '../../src/wire/consul/kv.ts';

/**
 * Consul's keys and locks as a state machine, without time or network, as Consul 1.8.7 behaves
 * (agent/consul/state/kvs.go, txn.go, session.go; each rule was tried on the real one).
 */

export interface StoredEntry extends KvEntry {
  /** Part of what makes two values equal, and reset by a plain set. */
  readonly lockIndex: number;
  /** What the bytes were made of, where an agent wrote them. */
  readonly meaning: Entry | undefined;
}

/** A change with its bytes, below full paths. */
export type KvChange =
  | {
      readonly kind: 'set';
      readonly path: string;
      readonly value: Uint8Array;
      readonly meaning?: Entry;
    }
  | {
      readonly kind: 'lock';
      readonly path: string;
      readonly value: Uint8Array;
      readonly session: string;
      readonly meaning?: Entry;
    }
  | { readonly kind: 'delete'; readonly path: string };

export type KvOutcome =
  | { readonly kind: 'applied'; readonly indexes: Readonly<Record<string, number>> }
  | {
      readonly kind: 'refused';
      /** Positions in the list of guards, then of changes. */
      readonly guards: readonly number[];
      readonly changes: readonly number[];
      readonly reason: string;
    };

export interface KvSnapshot {
  readonly entries: ReadonlyMap<string, StoredEntry>;
  readonly tombstones: ReadonlyMap<string, number>;
  readonly sessions: ReadonlySet<string>;
}

export class FakeKv {
  #entries: ReadonlyMap<string, StoredEntry> = new Map();
  /** Deleted paths still carry their index, until they are reaped. */
  #tombstones: ReadonlyMap<string, number> = new Map();
  #sessions: ReadonlySet<string> = new Set();
  /** Raft index: every write takes one, even when it changes nothing. */
  #index = 10;
  #changed = 10;
  readonly #newestBelow = new Map<string, { readonly version: number; readonly index: number }>();

  /** Rises with every change of what can be read. */
  get version(): number {
    return this.#changed;
  }

  /** `lockDelayed` are paths that cannot be locked just now; Consul looks at them before anything else. */
  transact(
    prefix: string,
    guards: readonly Guard[],
    changes: readonly KvChange[],
    lockDelayed: (path: string) => boolean,
  ): KvOutcome {
    const delayed = changes.flatMap((change, position) =>
      change.kind === 'lock' && lockDelayed(change.path) ? [position] : [],
    );
    if (delayed.length > 0) {
      const reason = 'failed to lock key due to lock delay';
      return { kind: 'refused', guards: [], changes: delayed, reason };
    }
    const attempt = new Attempt(this.#entries, this.#tombstones, this.#sessions, this.#index + 1);
    this.#index += 1;
    guards.forEach((guard, position) => {
      attempt.check(prefix, guard, position);
    });
    changes.forEach((change, position) => {
      attempt.apply(change, position);
    });
    if (attempt.problems.length > 0) {
      return {
        kind: 'refused',
        guards: attempt.failedGuards,
        changes: attempt.failedChanges,
        reason: attempt.problems.join('; '),
      };
    }
    this.#adopt(attempt);
    return { kind: 'applied', indexes: attempt.indexes };
  }

  addSession(session: string): void {
    this.#index += 1;
    this.#sessions = new Set([...this.#sessions, session]);
  }

  hasSession(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Behaviour `delete`: what it held goes with it. Answers the paths. */
  removeSession(session: string): readonly string[] {
    if (!this.#sessions.has(session)) return [];
    const held = [...this.#entries].flatMap(([path, entry]) =>
      entry.session === session ? [path] : [],
    );
    this.#sessions = new Set([...this.#sessions].filter((other) => other !== session));
    this.#index += 1;
    if (held.length === 0) return held;
    const attempt = new Attempt(this.#entries, this.#tombstones, this.#sessions, this.#index);
    held.forEach((path, position) => {
      attempt.apply({ kind: 'delete', path }, position);
    });
    this.#adopt(attempt);
    return held;
  }

  /** As `GET /v1/kv/<prefix>?recurse` answers, with its index. */
  list(prefix: string): { readonly entries: readonly StoredEntry[]; readonly index: number } {
    const entries: StoredEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.path.startsWith(prefix)) entries.push(entry);
    }
    entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { entries, index: this.indexOf(prefix) };
  }

  /** Newest change or deletion below the prefix; of a prefix that never was, of all keys. */
  indexOf(prefix: string): number {
    const version = this.#changed;
    const known = this.#newestBelow.get(prefix);
    if (known?.version === version) return known.index;
    const index = this.#newest((path) => path.startsWith(prefix)) || this.#newest(() => true) || 1;
    this.#newestBelow.set(prefix, { version, index });
    return index;
  }

  #newest(matches: (path: string) => boolean): number {
    let newest = 0;
    for (const [path, entry] of this.#entries) {
      if (matches(path)) newest = Math.max(newest, entry.modifyIndex);
    }
    for (const [path, index] of this.#tombstones) {
      if (matches(path)) newest = Math.max(newest, index);
    }
    return newest;
  }

  /** Others write other keys. */
  skipIndexes(count: number): void {
    this.#index += count;
  }

  /** Consul forgets deletions after a quarter of an hour: indexes then go backwards. */
  reapTombstones(): void {
    this.#tombstones = new Map();
    this.#changed += 1;
  }

  snapshot(): KvSnapshot {
    return { entries: this.#entries, tombstones: this.#tombstones, sessions: this.#sessions };
  }

  /** Keys come back with the indexes they had; the log itself goes on. */
  restore(snapshot: KvSnapshot): void {
    this.#entries = snapshot.entries;
    this.#tombstones = snapshot.tombstones;
    this.#sessions = snapshot.sessions;
    this.#index += 1;
    this.#changed += 1;
  }

  /** Another, empty store: its indexes start again. */
  wipe(): void {
    this.restore({ entries: new Map(), tombstones: new Map(), sessions: new Set() });
    this.#index = 10;
  }

  #adopt(attempt: Attempt): void {
    if (attempt.changed) this.#changed += 1;
    this.#entries = attempt.entries;
    this.#tombstones = attempt.tombstones;
  }
}

/** One transaction on copies: either all of it is adopted or nothing. */
class Attempt {
  readonly entries: Map<string, StoredEntry>;
  tombstones: ReadonlyMap<string, number>;
  readonly indexes: Record<string, number> = {};
  readonly failedGuards: number[] = [];
  readonly failedChanges: number[] = [];
  readonly problems: string[] = [];
  changed = false;
  readonly #sessions: ReadonlySet<string>;
  readonly #index: number;

  constructor(
    entries: ReadonlyMap<string, StoredEntry>,
    tombstones: ReadonlyMap<string, number>,
    sessions: ReadonlySet<string>,
    index: number,
  ) {
    this.entries = new Map(entries);
    this.tombstones = tombstones;
    this.#sessions = sessions;
    this.#index = index;
  }

  check(prefix: string, guard: Guard, position: number): void {
    const entry = this.entries.get(prefix + guard.key);
    const holds =
      guard.kind === 'session'
        ? entry !== undefined && entry.session === guard.session
        : (entry?.modifyIndex ?? 0) === guard.index;
    if (holds) return;
    this.failedGuards.push(position);
    this.problems.push(`failed ${guard.kind} check for key "${prefix}${guard.key}"`);
  }

  apply(change: KvChange, position: number): void {
    switch (change.kind) {
      case 'delete':
        this.#delete(change.path);
        break;
      case 'set':
        this.#put(change, this.entries.get(change.path)?.session, 0);
        break;
      case 'lock': {
        const problem = this.#lock(change);
        if (problem === undefined) break;
        this.failedChanges.push(position);
        this.problems.push(problem);
        break;
      }
    }
  }

  #lock(change: Extract<KvChange, { kind: 'lock' }>): string | undefined {
    const { path, session } = change;
    if (!this.#sessions.has(session)) return `invalid session "${session}"`;
    const held = this.entries.get(path);
    if (held?.session === session) {
      this.#put(change, session, held.lockIndex);
      return undefined;
    }
    if (held?.session !== undefined) return `failed to lock key "${path}", lock is already held`;
    this.#put(change, session, (held?.lockIndex ?? 0) + 1);
    return undefined;
  }

  #delete(path: string): void {
    this.indexes[path] = 0;
    if (!this.entries.delete(path)) return;
    this.tombstones = new Map([...this.tombstones, [path, this.#index]]);
    this.changed = true;
  }

  /** Identical bytes do not move the index. */
  #put(
    { path, value, meaning }: Exclude<KvChange, { kind: 'delete' }>,
    session: string | undefined,
    lockIndex: number,
  ): void {
    const old = this.entries.get(path);
    const same =
      old !== undefined &&
      old.session === session &&
      old.lockIndex === lockIndex &&
      Buffer.compare(old.value, value) === 0;
    const modifyIndex = same ? old.modifyIndex : this.#index;
    this.indexes[path] = modifyIndex;
    if (same) return;
    this.entries.set(path, { path, value, modifyIndex, session, lockIndex, meaning });
    this.changed = true;
  }
}
