import type { Instant } from './time.ts';

/**
 * A planned hand-over under way on the leader: draining, then stopped, then released. What comes
 * next is planned from what is observed, never from a remembered script.
 */
export interface Handover {
  readonly commandId: number;
  /** Undefined: to whoever is best; nobody may be able to take it when the process is told to stop. */
  readonly candidate: string | undefined;
  readonly reason: 'switchover' | 'failover' | 'shutdown' | 'disk-full';
  readonly since: Instant;
  /** When writes stopped being accepted. */
  readonly drainedAt: Instant | undefined;
  readonly checkpointed: boolean;
}

export const beginHandover = (
  asked: Pick<Handover, 'commandId' | 'candidate' | 'reason'>,
  since: Instant,
): Handover => ({ ...asked, since, drainedAt: undefined, checkpointed: false });
