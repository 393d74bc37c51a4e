import type { SyncKey } from '../core/cluster.ts';
import type { Lsn } from '../core/lsn.ts';
import type { Result } from '../core/result.ts';

/** What this host must not forget, kept beside the data directory and fsynced before it is relied on. */
export interface HostFacts {
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
}

export const NO_HOST_FACTS: HostFacts = {
  floor: { n: 0, id: undefined },
  promotions: [],
  followed: undefined,
  systemIdentifier: undefined,
  founding: undefined,
};

export interface HostState {
  load(): Promise<Result<HostFacts>>;
  /** Durable when it answers ok. */
  save(facts: HostFacts): Promise<Result<void>>;
}
