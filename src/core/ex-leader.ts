import { saysPaused, valueOf } from './cluster.ts';
import { hasNoRoom } from './disk.ts';
import { hasAmnesia, record, role } from './facts.ts';
import type { Memory } from './memory.ts';
import { judgeTakeover } from './takeover.ts';
import { later, since } from './time.ts';
import type { View } from './view.ts';

/** Starts that failed in a row, after which a server is not expected to come up. */
export const FAILED_STARTS_MAX = 3;

/**
 * The lease in Consul says paused, and it is the one under which Postgres was proved down on this host. That
 * the own time of a lease has ended is not enough: its server may be one that does not die.
 */
function isOwnPausedOver(view: View): boolean {
  const cluster = record(view);
  // A store that has lost the newest generation shows a lease of the past; a request may be on its way.
  if (cluster === undefined || view.held !== undefined || hasAmnesia(view)) return false;
  const lease = valueOf(cluster.lease);
  if (!saysPaused(lease)) return false;
  return lease.id === view.over && valueOf(cluster.generation)?.id === lease.id;
}

/**
 * Why the holder of a paused lease that is over does not take it up again, so that everybody waits for
 * it in vain; undefined: it may, or it is no such holder.
 */
export function leadsNoMore(view: View, memory: Memory): string | undefined {
  if (!isOwnPausedOver(view) || view.takeover !== undefined) return undefined;
  switch (role(view)) {
    case 'down':
      return whileDown(view, memory);
    case 'unanswered':
      return whileSilent(view);
    case 'standby':
      return whileStandby(view, memory);
    case 'primary':
    case 'foreign':
    case 'unknown':
      return undefined;
  }
}

function whileDown(view: View, memory: Memory): string | undefined {
  const directory = view.directory?.value;
  if (directory === undefined) return undefined;
  if (directory.kind !== 'cluster') return 'it has no data';
  if (memory.reclone !== undefined) return 'its data are to be replaced';
  if (view.settings.policy.timing.primaryStartTimeoutMillis === 0)
    return 'Postgres is down and primary_start_timeout is 0';
  if (hasNoRoom(view)) return 'its disk is full';
  // A restart that was asked for goes on for as long as it takes.
  const failures = memory.restart === undefined ? memory.failures : undefined;
  return failures?.kind === 'start' && failures.count >= FAILED_STARTS_MAX
    ? `Postgres failed to start ${failures.count} times`
    : undefined;
}

function whileSilent(view: View): string | undefined {
  const timeout = view.settings.policy.timing.primaryStartTimeoutMillis;
  if (view.postmaster.kind !== 'up') return undefined;
  const listenedSince = later(view.postmaster.startedAt, view.startedAt);
  const forMillis = since(view.answeredAt ?? listenedSince, view.now);
  return forMillis > timeout
    ? `Postgres has not accepted connections for ${Math.round(forMillis / 1000)} s`
    : undefined;
}

function whileStandby(view: View, memory: Memory): string | undefined {
  if (view.hostUnsavedAt !== undefined)
    return 'what this host must not forget could not be saved, so it could not promote either';
  const verdict = judgeTakeover(view, memory, false);
  return verdict.kind === 'no' ? verdict.why : undefined;
}
