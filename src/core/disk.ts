import type { DiskFacts } from './postgres.ts';
import { since } from './time.ts';
import type { Instant } from './time.ts';
import type { View } from './view.ts';

/** A server that cannot make the next segment of its log panics. */
export const LEAST_FREE_BYTES = 16 * 1024 * 1024;

/** As it was found now: the time since when counts on while it stays so. */
export function diskFacts(
  before: DiskFacts | undefined,
  freeBytes: number,
  now: Instant,
): DiskFacts {
  const isFull = freeBytes < LEAST_FREE_BYTES;
  return { freeBytes, fullSince: isFull ? (before?.fullSince ?? now) : undefined };
}

/** As of the last look: what is written next may find no room. */
export const hasNoRoom = ({ disk }: View): boolean => disk?.fullSince !== undefined;

/** How it is told of, where it matters. */
export const sayFull = ({ disk }: View): string =>
  `the disk of the primary is full (${disk?.freeBytes ?? 0} bytes are free)`;

/** Full for longer than a server may hang: what happens to be written and removed in between is over. */
export function diskIsFull(view: View): boolean {
  const limitMillis = view.settings.policy.timing.primaryHangTimeoutMillis;
  const { disk } = view;
  if (disk?.fullSince === undefined || limitMillis === 0) return false;
  return since(disk.fullSince, view.now) >= limitMillis;
}
