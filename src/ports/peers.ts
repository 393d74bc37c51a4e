import type { Lsn } from '../core/lsn.ts';
import type { Result } from '../core/result.ts';
import type { Millis } from '../core/time.ts';

/** What a member says of itself to another, from memory. Durations instead of times: clocks differ. */
export interface PeerReport {
  readonly scope: string;
  readonly name: string;
  readonly incarnation: string;
  readonly systemIdentifier: string | undefined;
  readonly postgres: {
    readonly state: string;
    /** `unknown` when Postgres could not be asked lately. */
    readonly role: 'primary' | 'standby' | 'unknown';
    readonly timeline: number | undefined;
    readonly lsn: Lsn | undefined;
    /** As of how long ago; undefined: there may be more of the log on its disk than `lsn` says. */
    readonly lsnAgeMillis?: Millis | undefined;
  };
  readonly highestGeneration: { readonly n: number; readonly id: string | undefined };
  /** Key `sync` as this member last saw it: generation and version. */
  readonly syncSeen?: { readonly n: number; readonly version: number } | undefined;
  /** Newest (n, beat) of a lease that this member has read. */
  readonly newestBeat: { readonly id: string; readonly beat: number } | undefined;
  /** Own lease, while it is valid on its own clock. */
  readonly holdsLease:
    { readonly id: string; readonly n: number; readonly leftMillis: Millis } | undefined;
  /** Whether it could take over if the lease were free, and if not, why. */
  readonly canTakeOver: { readonly able: boolean; readonly why: string };
  /** For how long it has been bound by no promise; undefined: it is, or may be by one that it has forgotten. */
  readonly promiseFreeMillis: Millis | undefined;
  /** How long ago it last had an answer of Consul. */
  readonly storeSeenMillis: Millis | undefined;
}

export interface PromiseRequest {
  readonly scope: string;
  readonly name: string;
  readonly leaseId: string;
  readonly n: number;
  /** That the leader was promoted to under this lease; 0: it does not know. */
  readonly timeline: number;
  readonly ttlMillis: Millis;
  /** For so long the member is not to take over on its own word alone either. */
  readonly reachMillis: Millis;
  readonly request: number;
  readonly connUrl: string;
  readonly apiUrl: string;
  readonly slots: Readonly<Record<string, Lsn>>;
}

export type PromiseReply =
  | {
      readonly kind: 'promised';
      readonly name: string;
      readonly incarnation: string;
      readonly leaseId: string;
      readonly request: number;
      readonly seenLeaseId: string | undefined;
      /** Consul did not answer this member either when it asked a moment ago. */
      readonly storeSilent: boolean;
    }
  | { readonly kind: 'refused'; readonly why: string };

export interface PeerAddress {
  readonly name: string;
  readonly apiUrl: string;
}

/** Other members over REST. Every answer is checked to come from the member that was meant. */
export interface Peers {
  report(peer: PeerAddress, timeoutMillis: Millis): Promise<Result<PeerReport>>;
  promise(
    peer: PeerAddress,
    request: PromiseRequest,
    timeoutMillis: Millis,
  ): Promise<Result<PromiseReply>>;
  withdraw(peer: PeerAddress, leaseId: string, timeoutMillis: Millis): Promise<Result<void>>;
}
