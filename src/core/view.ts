import type { BrakeState } from './brake.ts';
import type { ClusterRecord, SyncKey } from './cluster.ts';
import type { JobOutcome, RunningJob } from './job.ts';
import type { HeldLease } from './lease.ts';
import type { Lsn } from './lsn.ts';
import type { Observation } from './observation.ts';
import type {
  DataDirectory,
  Observed,
  ProbeAnswer,
  Silence,
  TimelineSwitch,
  DiskFacts,
} from './postgres.ts';
import type { Promised } from './promise.ts';
import type { Settings } from './settings.ts';
import type { SyncFacts } from './sync-facts.ts';
import type { Instant, Millis } from './time.ts';
import type { WatchdogFacts } from './watchdog.ts';

/** What the guardian says of the postmaster. */
export type Postmaster =
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'down';
      readonly exitedAt: Instant | undefined;
      readonly exitCause: string | undefined;
    }
  | { readonly kind: 'up'; readonly pid: number; readonly startedAt: Instant }
  /** A server on our data directory that no guardian of ours started. */
  | { readonly kind: 'foreign'; readonly pid: number };

/** What the guardian has acknowledged last of a lease that it guards. */
export interface Guarded {
  readonly leaseId: string;
  /** Its deadline is lifted. */
  readonly paused: boolean;
}

/** What a peer said when asked, in core terms; `undefined` report: it did not answer in time. */
export interface PeerOpinion {
  readonly name: string;
  readonly report:
    | {
        readonly role: 'primary' | 'standby' | 'unknown';
        /** Postgres' state as published. */
        readonly state: string;
        readonly systemIdentifier: string | undefined;
        readonly timeline: number | undefined;
        readonly lsn: Lsn | undefined;
        /** As of how long before it answered; undefined: there may be more of the log than `lsn` says. */
        readonly lsnAgeMillis?: Millis | undefined;
        /** Version of key `sync` that it remembers, and of which generation. */
        readonly syncSeen?: { readonly n: number; readonly version: number } | undefined;
        readonly highestGeneration: { readonly n: number; readonly id: string | undefined };
        readonly newestBeat: { readonly id: string; readonly beat: number } | undefined;
        readonly holdsLease: { readonly id: string; readonly n: number } | undefined;
        readonly canTakeOver: { readonly able: boolean; readonly why: string };
        /** For how long no promise has bound it; undefined: one may, or it is not whom the list means. */
        readonly promiseFreeMillis?: Millis | undefined;
        readonly failoverPriority: number;
      }
    | undefined;
}

/** One round of questions to all members. */
export interface Canvass {
  readonly askedAt: Instant;
  readonly finishedAt: Instant | undefined;
  readonly opinions: readonly PeerOpinion[];
}

/** What the rejoining member found out about itself and the leader. */
export interface Diagnosis {
  readonly at: Instant;
  readonly sourceName: string;
  readonly generationId: string;
  readonly own: { readonly timeline: number; readonly endLsn: Lsn | undefined };
  readonly source:
    | {
        readonly systemIdentifier: string;
        readonly timeline: number;
        readonly switches: readonly TimelineSwitch[];
      }
    | undefined;
  /** Whether the source still has the WAL to stream from. */
  readonly walAvailable: 'yes' | 'no' | 'unknown';
  /** Why the source could not be asked. */
  readonly why: string | undefined;
}

/** What this host must not forget, kept beside the data directory and fsynced before it is relied on. */
export interface HostMemory {
  /** The highest generation ever seen. */
  readonly floor: { readonly n: number; readonly id: string | undefined };
  /** Promotions of this very data directory, newest first: two promotions can give the same timeline number. */
  readonly promotions: readonly {
    readonly id: string;
    readonly timeline: number;
    readonly switchLsn: Lsn;
  }[];
  /** Generation under which this data directory was last known to replicate, with its timeline, and from whom. */
  readonly followed:
    | {
        readonly id: string;
        readonly timeline: number;
        readonly from?: string | undefined;
        /** While the id is a guess: where the timeline began, as the own history has it. */
        readonly guessedFrom?: Lsn | undefined;
        /** The history of that member as it was recorded: the older timelines of this log are those. */
        readonly lineage?:
          readonly { readonly id: string; readonly timeline: number }[] | undefined;
      }
    | undefined;
  /** System identifier of the cluster this member belongs to. */
  readonly systemIdentifier: string | undefined;
  /** System identifier of a new cluster that this host made and that has no roles yet. */
  readonly founding: string | undefined;
  /** Ids of generations that this data directory was to be promoted under, newest first: written down before the lease was asked for. */
  readonly led?: readonly string[] | undefined;
  /** Key `sync` as it was last seen, under generation `n`: what holds when Consul has lost it. */
  readonly sync?: { readonly n: number; readonly key: SyncKey } | undefined;
  /** The lease that was last seen to be paused, until it was seen not to be: an older record frees nobody. */
  readonly paused?: PausedLease | undefined;
}

export interface PausedLease {
  readonly n: number;
  readonly id: string;
  /** The newest one that is known to have said so. */
  readonly beat: number;
}

/** An operator's request, a fact like any other. Answered by the decision that settles it. */
export type PendingCommand = { readonly id: number; readonly at: Instant } & (
  | {
      readonly kind: 'switchover' | 'failover';
      readonly candidate: string | undefined;
      /** The operator says that Postgres of a paused lease's holder is down. */
      readonly holderIsDown?: boolean;
    }
  /** The operator says so, and wants the lease to be free. */
  | { readonly kind: 'abandon' }
  | { readonly kind: 'restart'; readonly timeoutMillis: Millis | undefined }
  | { readonly kind: 'reinitialize'; readonly force: boolean; readonly fromLeader: boolean }
  /** The process was told to stop: hand over, then leave. */
  | { readonly kind: 'shutdown' }
);

/** A key of the cluster with the index that a transaction rests on; 0: it must not exist. */
export interface CheckedIndex {
  readonly key: 'generation' | 'lease' | 'leader' | 'sync' | 'failsafe' | 'initialize';
  readonly index: number;
}

/** A takeover whose transaction has been sent and not been settled. */
export interface PendingTakeover {
  readonly id: string;
  readonly sentAt: Instant;
  /** Keys and indexes that it checked, once it is known to be unanswered: any that moved voids it. */
  readonly unanswered: readonly CheckedIndex[] | undefined;
}

/**
 * All that a decision may know, as of one `now`. Each fact says when it was asked for: whoever uses
 * it decides what its age means. Unknown is not no.
 */
export interface View {
  readonly now: Instant;
  readonly self: string;
  readonly incarnation: string;
  readonly startedAt: Instant;
  readonly settings: Settings;
  readonly cluster: Observed<ClusterRecord> | undefined;
  readonly observation: Observation | undefined;
  readonly held: HeldLease | undefined;
  /** Id of the lease that this host held and that is over. */
  readonly lapsedId: string | undefined;
  /** Id of a lease that this host was given when it had ended already. */
  readonly wonLateId: string | undefined;
  /** When what this host must not forget could not be saved; undefined once it could again. */
  readonly hostUnsavedAt: Instant | undefined;
  /** Since when Consul has not answered the question that precedes a takeover; undefined: it does. */
  readonly storeSilentSince: Instant | undefined;
  /** What this member has promised to a leader that cannot reach Consul. */
  readonly promised: Promised | undefined;
  readonly takeover: PendingTakeover | undefined;
  readonly postmaster: Postmaster;
  /** Undefined: nothing, or there is no guardian; older journals do not say. */
  readonly guarded?: Guarded | undefined;
  /** Id of the lease under which Postgres was proved down on this host, for good; older journals do not say. */
  readonly over?: string | undefined;
  readonly probe: Observed<ProbeAnswer> | undefined;
  /** When the postmaster that runs now last answered a probe. */
  readonly answeredAt: Instant | undefined;
  /** When it last gave any sign of life, be it a refusal. */
  readonly aliveAt: Instant | undefined;
  /** Undefined: the newest probe was answered by somebody. */
  readonly silence: Silence | undefined;
  /** Newest heartbeat that this process has read, or been told of. */
  readonly newestBeat: { readonly id: string; readonly beat: number } | undefined;
  readonly directory: Observed<DataDirectory> | undefined;
  /** Undefined: not known, or not asked yet. */
  readonly disk: DiskFacts | undefined;
  readonly job: RunningJob | undefined;
  readonly lastJob: JobOutcome | undefined;
  readonly canvass: Canvass | undefined;
  readonly diagnosis: Diagnosis | undefined;
  readonly sync: SyncFacts;
  /** Whether commits are being kept from being acknowledged; older journals do not say. */
  readonly brake?: BrakeState | undefined;
  /** Of the kernel's watchdog; undefined where none is configured, and in older journals. */
  readonly watchdog?: WatchdogFacts | undefined;
  readonly host: HostMemory;
  readonly command: PendingCommand | undefined;
}
