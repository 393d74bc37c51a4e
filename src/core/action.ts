import type { SyncKey } from './cluster.ts';
import type { Lsn } from './lsn.ts';
import type { Upstream } from './postgres.ts';

/** Where a standby replicates from; undefined upstream: nowhere, for now. */
export interface Target {
  readonly upstream: Upstream | undefined;
  readonly slotName: string | undefined;
}

/** Why Postgres is fenced; a label of metrics and events. */
export type FenceCause =
  | 'lease-over'
  | 'no-lease'
  | 'guardian-silent'
  | 'foreign-postmaster'
  | 'promotion-failed'
  | 'watchdog-lost'
  | 'start-timeout'
  | 'hung'
  | 'leftovers';

/** What a decision wants done. Verbs; each is carried out once, in order. Long ones run as jobs. */
export type Action =
  | { readonly kind: 'fence'; readonly cause: FenceCause }
  /** Asks every member for its opinion; the answers are facts of a later View. */
  | { readonly kind: 'canvass' }
  | {
      readonly kind: 'takeover';
      readonly n: number;
      readonly basis: string;
      /** Written to key `sync` with it; absent: the key stays as it was read. */
      readonly sync?: SyncKey | undefined;
    }
  /** Postgres is down: gives the lease away, for good. */
  | {
      readonly kind: 'release';
      readonly handoff: string | undefined;
      readonly lsn: Lsn | undefined;
      readonly exclude: readonly string[];
    }
  | { readonly kind: 'start'; readonly target: Target }
  | { readonly kind: 'stop'; readonly mode: 'fast' | 'immediate' }
  /** `names`: for what the first commit waits already; absent: what the configuration says. */
  | { readonly kind: 'promote'; readonly names?: string | undefined }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'initialise' }
  | { readonly kind: 'finish-bootstrap' }
  | { readonly kind: 'clone'; readonly source: Upstream; readonly target: Target }
  | { readonly kind: 'rewind'; readonly source: Upstream }
  | { readonly kind: 'diagnose'; readonly source: Upstream; readonly generationId: string }
  | { readonly kind: 'set-aside'; readonly reason: string }
  | { readonly kind: 'follow'; readonly target: Target }
  | { readonly kind: 'cancel-job' }
  | { readonly kind: 'raise-floor'; readonly n: number; readonly id: string | undefined }
  /** A peer has read a newer heartbeat: what was observed so far is void. */
  | {
      readonly kind: 'restart-observation';
      readonly beat: { readonly id: string; readonly beat: number } | undefined;
    }
  /** Asks Postgres again at once. */
  | { readonly kind: 'probe' }
  /** `synchronous_standby_names`; undefined: as configured. */
  | { readonly kind: 'set-sync-names'; readonly names: string | undefined }
  /** Holder's duties: guarded by the generation. */
  | { readonly kind: 'write-sync'; readonly key: SyncKey; readonly index: number }
  | { readonly kind: 'write-initialize'; readonly systemIdentifier: string }
  /** Releases a paused lease in the name of its holder, whose Postgres an operator says is down. */
  | { readonly kind: 'abandon'; readonly commandId: number; readonly holder: string }
  /** Releases the own paused lease that is over on this host; this process does not hold it. */
  | {
      readonly kind: 'give-back';
      readonly lsn: Lsn | undefined;
      readonly exclude: readonly string[];
    }
  | { readonly kind: 'record-promotion' }
  /** This host remembers under which generation it promoted, and Postgres is protected against a start read-write. */
  | { readonly kind: 'remember-promotion' }
  /** `historyFor` is remembered once it is written. */
  | { readonly kind: 'write-history'; readonly historyFor: string }
  | {
      readonly kind: 'reconcile-slots';
      readonly wanted: readonly string[];
      readonly mayDrop: readonly string[];
    }
  | {
      readonly kind: 'note-followed';
      readonly generationId: string;
      readonly timeline: number;
      readonly from: string;
    }
  | { readonly kind: 'answer'; readonly commandId: number; readonly answer: Answer }
  /** All is done that had to be before the process may end. `keep`: Postgres, lease and keys go on without it. */
  | { readonly kind: 'leave'; readonly keep?: true };

/** How a command ended, as the operator is told. */
export type Answer =
  | { readonly kind: 'done'; readonly message: string }
  | { readonly kind: 'accepted'; readonly message: string }
  | {
      readonly kind: 'refused';
      readonly cause: 'precondition' | 'invalid' | 'busy';
      readonly message: string;
    }
  | { readonly kind: 'failed'; readonly message: string }
  /** A hand-over began; the answer follows when the successor serves. */
  | { readonly kind: 'handing-over' };

/** Nothing was changed; at another time it would be. */
export const precondition = (message: string): Extract<Answer, { kind: 'refused' }> => ({
  kind: 'refused',
  cause: 'precondition',
  message,
});
