import type { JsonObject } from './json.ts';
import type { Lsn } from './lsn.ts';
import type { Millis } from './time.ts';

/**
 * A key as last read. `index` is Consul's ModifyIndex, the handle of every compare-and-set.
 * `garbled` is a value nobody can read: it is unknown, never absent.
 */
export type Slot<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'garbled'; readonly index: number; readonly reason: string }
  | { readonly kind: 'present'; readonly index: number; readonly value: T };

export const ABSENT = { kind: 'absent' } as const;

export const valueOf = <T>(slot: Slot<T>): T | undefined =>
  slot.kind === 'present' ? slot.value : undefined;

/** Index to guard on; 0 stands for "must not exist". */
export const indexOf = (slot: Slot<unknown>): number => (slot.kind === 'absent' ? 0 : slot.index);

/** Key `generation`: who was given leadership, and on which history. Identity is `id`; `n` only orders. */
export interface Generation {
  readonly n: number;
  readonly id: string;
  readonly holder: string;
  /** Timeline that the holder promoted to, 0 until it has. */
  readonly timeline: number;
  /** Where that timeline left its parent; 0 until known. */
  readonly switchLsn: Lsn;
  /** Ids of former generations with the timelines they promoted to, newest first, bounded. */
  readonly ancestors: readonly Ancestor[];
}

export interface Ancestor {
  readonly id: string;
  /** Who held it; not told by records of older agents. */
  readonly holder?: string | undefined;
  readonly timeline: number;
  readonly switchLsn: Lsn;
}

/** Key `lease`: rewritten by every heartbeat, no two attempts byte-identical. */
export interface Lease {
  readonly id: string;
  readonly n: number;
  readonly incarnation: string;
  readonly beat: number;
  readonly ttlMillis: Millis;
  /** Nobody takes it over before on its own word alone; undefined: no longer than its ttl (P17). */
  readonly reachMillis?: Millis | undefined;
  /** Nobody takes it over, however long it stands: its holder may write on without a beat (P15). */
  readonly paused?: boolean | undefined;
  readonly released: Release | undefined;
}

export interface Release {
  /** Member that may go at once; the others wait a grace. */
  readonly handoff: string | undefined;
  /** Where the log ended when Postgres was proved down. */
  readonly lsn: Lsn | undefined;
  /** Members that must not take this over, because they just failed to. */
  readonly exclude: readonly string[];
}

/** Nobody may take it over, and its holder may write on: so the holder has said, and not released it since. */
export const saysPaused = (lease: Lease | undefined): lease is Lease =>
  lease?.paused === true && lease.released === undefined;

export interface LeaderKey {
  readonly member: string;
  readonly session: string | undefined;
}

/** Key `status`, in Patroni's shape. */
export interface Status {
  readonly optime: Lsn;
  readonly slots: Readonly<Record<string, Lsn>>;
  readonly retainSlots: readonly string[];
}

/** Key `failover`: a requested switchover (leader named) or failover. */
export interface FailoverRequest {
  readonly leader: string | undefined;
  readonly candidate: string | undefined;
  readonly scheduledAt: string | undefined;
}

export interface HistoryEntry {
  readonly timeline: number;
  readonly lsn: Lsn;
  readonly reason: string;
  readonly timestamp: string | undefined;
  readonly leader: string | undefined;
}

/**
 * Key `sync`, in Patroni's shape: who may be promoted without the loss of an acknowledged commit. The
 * leader always may; any other member, when `quorum` + 1 of the standbys (itself counting when it is one)
 * answer and none of them has more of the log. Without a leader nothing is promised.
 */
export interface SyncKey {
  /** Who led when this was written. */
  readonly leader: string | undefined;
  readonly standbys: readonly string[];
  readonly quorum: number;
  /**
   * Raised by each write, for Consul does not move the ModifyIndex of a key that gets the bytes it has.
   * 0 in a value of Patroni's, and stands for the key that is absent.
   */
  readonly version: number;
}

/** Key `members/<name>`, in Patroni's shape. */
export interface MemberKey {
  readonly name: string;
  readonly connUrl: string;
  readonly apiUrl: string;
  readonly state: string;
  readonly role: string;
  readonly version: string;
  readonly proxyUrl?: string | undefined;
  readonly timeline?: number | undefined;
  readonly xlogLocation?: Lsn | undefined;
  readonly receiveLsn?: Lsn | undefined;
  readonly replayLsn?: Lsn | undefined;
  readonly replicationState?: string | undefined;
  readonly tags?: JsonObject | undefined;
  readonly pendingRestart?: boolean | undefined;
  readonly pendingRestartReason?: JsonObject | undefined;
  readonly checkpointAfterPromote?: boolean | undefined;
  readonly pause?: boolean | undefined;
  /** It knows of the reach of a lease (P17): Patroni does not, nor do agents of before. */
  readonly honoursReach?: boolean | undefined;
}

export interface Member {
  readonly key: MemberKey;
  readonly index: number;
  readonly session: string | undefined;
}

/** All keys of one cluster as of one answer. */
export interface ClusterRecord {
  readonly generation: Slot<Generation>;
  readonly lease: Slot<Lease>;
  readonly leader: Slot<LeaderKey>;
  readonly status: Slot<Status>;
  /** Empty text while a bootstrap runs, then the system identifier. */
  readonly initialize: Slot<string>;
  readonly config: Slot<JsonObject>;
  readonly failover: Slot<FailoverRequest>;
  readonly history: Slot<readonly HistoryEntry[]>;
  readonly sync: Slot<SyncKey>;
  /** Member name to api_url. */
  readonly failsafe: Slot<Readonly<Record<string, string>>>;
  readonly members: readonly Member[];
}

export const EMPTY_CLUSTER: ClusterRecord = {
  generation: ABSENT,
  lease: ABSENT,
  leader: ABSENT,
  status: ABSENT,
  initialize: ABSENT,
  config: ABSENT,
  failover: ABSENT,
  history: ABSENT,
  sync: ABSENT,
  failsafe: ABSENT,
  members: [],
};

/** Who holds the lease, as operators are told it: a paused one outlives the record of its holder. */
export const holderOf = (record: ClusterRecord): string =>
  valueOf(record.generation)?.holder ?? 'the last leader';

export const findMember = (record: ClusterRecord, name: string): Member | undefined =>
  record.members.find((member) => member.key.name === name);
