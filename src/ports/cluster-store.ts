import type {
  ClusterRecord,
  FailoverRequest,
  Generation,
  HistoryEntry,
  Lease,
  MemberKey,
  Status,
  SyncKey,
} from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import type { Millis } from '../core/time.ts';

/** Keys below `<namespace>/<scope>/`. */
export type StoreKey =
  | 'generation'
  | 'lease'
  | 'leader'
  | 'status'
  | 'initialize'
  | 'config'
  | 'failover'
  | 'history'
  | 'sync'
  | 'failsafe'
  | `members/${string}`
  | `events/${string}`;

/** What must hold for a write to happen; all are checked in the same transaction as the write. */
export type Guard =
  /** ModifyIndex is exactly this; 0: the key does not exist. */
  | { readonly kind: 'index'; readonly key: StoreKey; readonly index: number }
  /** The key is locked by this session. */
  | { readonly kind: 'session'; readonly key: StoreKey; readonly session: string };

export type Entry =
  | { readonly key: 'generation'; readonly value: Generation }
  | { readonly key: 'lease'; readonly value: Lease }
  /** Member name, as plain text. */
  | { readonly key: 'leader'; readonly value: string }
  | { readonly key: 'status'; readonly value: Status }
  | { readonly key: 'initialize'; readonly value: string }
  | { readonly key: 'config'; readonly value: JsonObject }
  | { readonly key: 'failover'; readonly value: FailoverRequest }
  | { readonly key: 'history'; readonly value: readonly HistoryEntry[] }
  | { readonly key: 'sync'; readonly value: SyncKey }
  | { readonly key: 'failsafe'; readonly value: Readonly<Record<string, string>> }
  | { readonly key: `members/${string}`; readonly value: MemberKey }
  | { readonly key: `events/${string}`; readonly value: JsonObject };

export type Change =
  | { readonly kind: 'set'; readonly entry: Entry }
  /** Sets the value and locks the key with the session. */
  | { readonly kind: 'lock'; readonly entry: Entry; readonly session: string }
  | { readonly kind: 'delete'; readonly key: StoreKey };

/** One linearizable all-or-nothing transaction. At most 64 operations. */
export interface StoreWrite {
  readonly guards: readonly Guard[];
  readonly changes: readonly Change[];
}

/** Why a request failed, by what the caller can do about it. */
type StoreFailureCode =
  | 'timeout'
  | 'unreachable'
  | 'no-leader'
  | 'server-error'
  | 'forbidden'
  | 'unintelligible'
  | 'cancelled';

export interface StoreFailure {
  readonly code: StoreFailureCode;
  /** Which address, which call, what it said. Never a token. */
  readonly message: string;
}

/** `refused` lists what did not hold. `lock` failing alone means: the session is gone or held off. */
export type WriteAnswer =
  | { readonly kind: 'committed'; readonly indexes: Readonly<Record<string, number>> }
  | {
      readonly kind: 'refused';
      readonly guards: readonly Guard[];
      readonly lockFailed: boolean;
      readonly reason: string;
    }
  /** It may have happened, may happen later, or never: only a read that shows it, or a guard that
   * moved, settles it. */
  | { readonly kind: 'unknown'; readonly failure: StoreFailure }
  /** It provably did not and will not happen: nothing was sent, or the server rejected it before
   * proposing it (403, 400). */
  | { readonly kind: 'not-done'; readonly failure: StoreFailure };

/** `index` is the watch index to hand to the next `watch`. */
export type ReadAnswer =
  | { readonly kind: 'read'; readonly record: ClusterRecord; readonly index: number }
  | { readonly kind: 'failed'; readonly failure: StoreFailure };

export type SessionAnswer =
  | { readonly kind: 'open'; readonly session: string; readonly ttlMillis: Millis }
  /** The store says that this session does not exist. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly failure: StoreFailure };

/**
 * The consistent core: Consul. Every answer is a value; no method throws or waits beyond its timeout.
 * Writes and renewals use connections of their own and never queue behind `watch`.
 */
export interface ClusterStore {
  /** Linearizable read of all keys of the cluster. */
  read(timeoutMillis: Millis): Promise<ReadAnswer>;
  /**
   * Answers when something below the prefix changed after `index`, or after `waitMillis`. Index 0
   * answers at once. Handles indexes that go backwards. Only wakes: decisions that authorise
   * something are guarded by the transaction they lead to.
   */
  watch(index: number, waitMillis: Millis, signal: AbortSignal): Promise<ReadAnswer>;
  /** Never retried by the adapter: the caller owns what a second attempt would mean. */
  commit(write: StoreWrite, timeoutMillis: Millis): Promise<WriteAnswer>;
  openSession(timeoutMillis: Millis): Promise<SessionAnswer>;
  renewSession(session: string, timeoutMillis: Millis): Promise<SessionAnswer>;
  /** Best effort; an unanswered destroy is left to the TTL. */
  closeSession(session: string, timeoutMillis: Millis): Promise<void>;
}
