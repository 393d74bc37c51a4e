import type { Handover } from './handover.ts';
import type { JobKind } from './job.ts';
import type { Lsn } from './lsn.ts';
import type { Instant, Millis } from './time.ts';

export interface SyncNamesSeen {
  readonly names: string;
  /** Of this very postmaster, by its start. */
  readonly server: string;
  /** When it had last been told anything. */
  readonly toldAt: Instant | undefined;
  readonly seenAt: Instant;
  /** Where its log ended once they were in effect: who has this has all that was acknowledged before. */
  readonly barrier: Lsn | undefined;
}

/** A standby that is not where the leader is. */
export interface Lagging {
  /** How far it had come; undefined: it does not stream. */
  readonly flushLsn: Lsn | undefined;
  readonly since: Instant;
}

/** What the agent remembers between decisions: one explicit value, so that any decision can be replayed. */
export interface Memory {
  readonly handover: Handover | undefined;
  /** Postmaster exits under our lease that nobody asked for, within the crash window. */
  readonly crashes: readonly Instant[];
  /** The exit that `crashes` has last counted. */
  readonly countedExitAt: Instant | undefined;
  /** Failed to promote: step behind the others, longer each time. */
  readonly abstain: { readonly until: Instant; readonly forMillis: Millis } | undefined;
  /** A better candidate was given the first move on this observation. */
  readonly deferral:
    { readonly to: string; readonly since: Instant; readonly observedAt: Instant } | undefined;
  /** Same job failed so often in a row; the pause before the next try grows with it. */
  readonly failures:
    | {
        readonly kind: JobKind;
        readonly count: number;
        readonly lastAt: Instant;
        /** Code of the last one. */
        readonly code: string;
        /** Generation that a rewind was decided under: under another one it may go well. */
        readonly under?: string | undefined;
      }
    | undefined;
  /** Generation that the last rewind was decided under. */
  readonly rewindUnder: string | undefined;
  /** Outcome that has already been taken in. */
  readonly seenOutcomeAt: Instant | undefined;
  /** A restart that an operator asked for and that is under way. */
  readonly restart:
    { readonly commandId: number; readonly since: Instant; readonly stopped: boolean } | undefined;
  /** A clone that an operator asked for: the present data directory is to be replaced. */
  readonly reclone:
    { readonly since: Instant; readonly why: string; readonly fromLeader: boolean } | undefined;
  /** Asked for by an operator: in maintenance mode too it goes on until Postgres runs again. */
  readonly manual?:
    { readonly what: 'hand-over' | 'reinitialize'; readonly since: Instant } | undefined;
  /** When Consul was last told that the own paused lease is over. */
  readonly gaveBackAt?: Instant | undefined;
  /** Since when a standby has not been streaming although a leader serves. */
  readonly notStreamingSince: Instant | undefined;
  /** Upstream that Postgres was last pointed at, as `name@host:port/slot`. */
  readonly upstream: string | undefined;
  /** What the leader's Postgres shows as `synchronous_standby_names`, and since when. */
  readonly syncNames: SyncNamesSeen | undefined;
  /** Standbys that are not where the leader is, by name. */
  readonly syncLagging: Readonly<Record<string, Lagging>>;
  /** When the slots, history and other duties of the leader were last seen to. */
  readonly duties: {
    readonly slotsFor: string;
    readonly slotsAt: Instant | undefined;
    readonly historyFor: string | undefined;
    readonly initializeAt: Instant | undefined;
  };
}

export const NO_MEMORY: Memory = {
  handover: undefined,
  crashes: [],
  countedExitAt: undefined,
  abstain: undefined,
  deferral: undefined,
  failures: undefined,
  rewindUnder: undefined,
  seenOutcomeAt: undefined,
  restart: undefined,
  reclone: undefined,
  notStreamingSince: undefined,
  upstream: undefined,
  syncNames: undefined,
  syncLagging: {},
  duties: { slotsFor: '', slotsAt: undefined, historyFor: undefined, initializeAt: undefined },
};
