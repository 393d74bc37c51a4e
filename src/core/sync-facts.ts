import type { Instant } from './time.ts';

/**
 * What this process has done about synchronous replication. A request without an answer may still
 * have its effect later: what is missing here is unknown, not undone.
 */
export interface SyncFacts {
  /**
   * Key `sync` as this process last wrote it under this lease, by its index; undefined: it has
   * written none, or has not been told whether it did.
   */
  readonly written: { readonly leaseId: string; readonly index: number } | undefined;
  /** Such a write is on its way. */
  readonly writing: boolean;
  /** After a write that failed: when the next one is due. */
  readonly retryAt: Instant | undefined;
  /**
   * What Postgres was last told to wait for, and when it had been told; names undefined: what its
   * configuration says. Undefined: this process has told it nothing, or does not know whether it did.
   */
  readonly told: { readonly names: string | undefined; readonly at: Instant } | undefined;
}

export const NO_SYNC_FACTS: SyncFacts = {
  written: undefined,
  writing: false,
  retryAt: undefined,
  told: undefined,
};
