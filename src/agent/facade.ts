import type { BrakeState } from '../core/brake.ts';
import type { ClusterRecord } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import type { Lsn } from '../core/lsn.ts';
import type { PostgresState, ServerFacts } from '../core/postgres.ts';
import type { Settings } from '../core/settings.ts';
import type { EpochMillis, Millis } from '../core/time.ts';
import type { WatchdogFacts } from '../core/watchdog.ts';
import type { PeerReport, PromiseReply, PromiseRequest } from '../ports/peers.ts';

/** Patroni's words for what a member is, as REST and Consul publish them. */
export type PublishedRole =
  'primary' | 'replica' | 'standby_leader' | 'uninitialized' | 'demoted' | 'promoted';

/** All that the health and status endpoints need, from memory, as of the call. */
export interface MemberStatus {
  readonly state: PostgresState;
  /** `primary` as long as Postgres may be writable. */
  readonly role: PublishedRole;
  /** The lease is held and valid at the moment of the call. */
  readonly holdsLease: boolean;
  /** Postgres has left recovery, was seen so lately, is not being stopped, and the lease is valid now. */
  readonly acceptsWrites: boolean;
  /** Age and content of the last answer of Postgres; undefined: none since the postmaster started. */
  readonly server: { readonly facts: ServerFacts; readonly ageMillis: Millis } | undefined;
  readonly replicationState: string | undefined;
  readonly leaseLeftMillis: Millis | undefined;
  readonly generation: { readonly n: number; readonly id: string } | undefined;
  /** Age of the last good answer of Consul; undefined: never. */
  readonly storeSeenMillis: Millis | undefined;
  readonly storeLastSeenAt: EpochMillis | undefined;
  /** No valid leader is known. */
  readonly clusterUnlocked: boolean;
  readonly failsafeActive: boolean;
  /** Whether commits are being kept from being acknowledged, and how. */
  readonly commitBrake: BrakeState;
  readonly paused: boolean;
  readonly pendingRestart: JsonObject | undefined;
  /** Primary's position as last published, for lag. */
  readonly optime: Lsn | undefined;
  readonly guardian: 'absent' | 'idle' | 'armed';
  /** The kernel's watchdog device; `failed`: this member does not lead because of it. */
  readonly watchdog: { readonly state: 'off' | WatchdogFacts['kind']; readonly failed: boolean };
  /** Free where the data directory is, as of the last look; undefined: not known. */
  readonly diskFreeBytes: number | undefined;
  /** The job that runs, for example `clone`, with its progress. */
  readonly job:
    | {
        readonly kind: string;
        readonly forMillis: Millis;
        readonly progress: string | undefined;
        /** Between 0 and 1, of a clone or rewind that says how much there is. */
        readonly progressRatio: number | undefined;
      }
    | undefined;
  readonly systemIdentifier: string | undefined;
}

/** Answers to "why is nothing happening": the last decision, as every reader sees it. */
export interface Explanation {
  /** For example `R420`. */
  readonly rule: string;
  readonly ruleName: string;
  readonly why: string;
  /** What would have to change for another rule to fire; empty when nothing is waited for. */
  readonly waitsFor: readonly string[];
  readonly sinceMillis: Millis;
  readonly candidates: readonly CandidateVerdict[];
}

export interface CandidateVerdict {
  readonly name: string;
  readonly eligible: boolean;
  /** Why not, or what ranks it where it is. */
  readonly why: string;
  readonly lsn: Lsn | undefined;
  readonly timeline: number | undefined;
}

export type Command =
  | { readonly kind: 'switchover'; readonly leader: string; readonly candidate: string | undefined }
  /** Also without a leader; the operator has been told what may be lost. */
  | {
      readonly kind: 'failover';
      readonly candidate: string;
      /** The operator says that Postgres of whoever holds a paused lease is down. */
      readonly holderIsDown?: boolean;
    }
  /** The operator says so, and gives that lease up in its holder's name. */
  | { readonly kind: 'abandon' }
  | {
      readonly kind: 'restart';
      readonly onlyIfPending: boolean;
      readonly onlyIfRole: string | undefined;
      readonly onlyIfVersionBelow: string | undefined;
      readonly timeoutMillis: Millis | undefined;
    }
  | { readonly kind: 'reload' }
  | { readonly kind: 'reinitialize'; readonly force: boolean; readonly fromLeader: boolean }
  /** Merge patch; null removes. */
  | { readonly kind: 'patch-config'; readonly patch: JsonObject }
  | { readonly kind: 'replace-config'; readonly config: JsonObject };

export type CommandAnswer =
  /** Carried out, seen to be so. `details` e.g. `{leader, write_gap_ms}` of a switchover. */
  | { readonly kind: 'done'; readonly message: string; readonly details: JsonObject }
  /** Will be carried out. */
  | { readonly kind: 'accepted'; readonly message: string }
  /** Nothing was changed. `precondition`: would be legal at another time; `invalid`: never; `busy`: something else runs. */
  | {
      readonly kind: 'refused';
      readonly cause: 'precondition' | 'invalid' | 'busy' | 'conflict' | 'not-configured';
      readonly message: string;
    }
  /** Begun and not (known to be) finished. */
  | { readonly kind: 'failed'; readonly message: string };

/** The agent as REST and telemetry see it. All but `submit` answers from memory, in microseconds. */
export interface AgentFacade {
  settings(): Settings;
  incarnation(): string;
  version(): string;
  status(): MemberStatus;
  explain(): Explanation;
  /** Last record of Consul that was read, with its age; undefined: none yet. */
  cluster(): { readonly record: ClusterRecord; readonly ageMillis: Millis } | undefined;
  /** A linearizable read, for the endpoints that promise fresh data; falls back to the last record. */
  readCluster(): Promise<
    { readonly record: ClusterRecord; readonly ageMillis: Millis } | undefined
  >;
  peerReport(): PeerReport;
  promise(request: PromiseRequest): PromiseReply;
  withdraw(leaseId: string): void;
  /** True while the agent makes progress: for /liveness. */
  alive(): boolean;
  submit(command: Command): Promise<CommandAnswer>;
}
