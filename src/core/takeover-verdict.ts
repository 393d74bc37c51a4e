import type { Instant } from './time.ts';
import type { VotesMissing } from './sync-votes.ts';

/** On what ground the lease is free. */
export type TakeoverBasis = 'released' | 'lease-over' | 'own-lapsed' | 'empty';

/** Whether this member may take leadership now, and if not, exactly what is missing. */
export type TakeoverVerdict =
  | { readonly kind: 'go'; readonly basis: TakeoverBasis; readonly n: number; readonly why: string }
  | { readonly kind: 'canvass'; readonly why: string }
  /** It has to be known what the own Postgres has by now. */
  | { readonly kind: 'look'; readonly why: string }
  | { readonly kind: 'wait'; readonly why: string; readonly until: Instant | undefined }
  | { readonly kind: 'defer'; readonly to: string; readonly why: string; readonly until: Instant }
  | {
      readonly kind: 'floor';
      readonly n: number;
      readonly id: string | undefined;
      readonly why: string;
    }
  /** What was observed is void: a peer has read a newer heartbeat. */
  | {
      readonly kind: 'stale';
      readonly why: string;
      readonly beat: { readonly id: string; readonly beat: number } | undefined;
    }
  | VotesMissing
  | { readonly kind: 'no'; readonly why: string };

/** On what ground the lease is free, or what is missing for it to be. */
export type Basis =
  | {
      readonly kind: 'free';
      readonly basis: TakeoverBasis;
      readonly since: Instant;
      readonly trusted: boolean;
      readonly why: string;
      /** Before that only if most members bear it out. */
      readonly until?: Instant;
    }
  | { readonly kind: 'wait'; readonly why: string; readonly until: Instant | undefined }
  | { readonly kind: 'look'; readonly why: string }
  | { readonly kind: 'no'; readonly why: string };
