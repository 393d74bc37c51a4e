import { bootMillis } from './boottime.ts';
import { findServer } from './fence.ts';
import type { FenceTarget } from './fence.ts';
import { findRunning, listChildren, readProcess, signalExactly } from './procfs.ts';
import type { ProcessIdentity } from './procfs.ts';

/*
 * A server that stands still acknowledges nothing and loses nothing: for the moment in which nobody
 * knows whether its lease will be renewed. It dies of SIGKILL like any other, so a fence needs no thaw.
 */

/** How long the children are re-read while the postmaster is not yet seen stopped. */
const FREEZE_BOUND_MILLIS = 20;

function topOf(target: FenceTarget): ProcessIdentity | undefined {
  const { postmaster } = target;
  if (postmaster !== undefined && findRunning(postmaster) !== undefined) return postmaster;
  return findServer(target)[0];
}

/**
 * SIGSTOP for the postmaster, so that it forks no more, and for each of its children, re-read until
 * none is new. Answers how many processes stand still; 0: there is no such server. Never waits.
 */
export function freezeServer(target: FenceTarget): number {
  const top = topOf(target);
  if (top === undefined || !signalExactly(top, 'SIGSTOP')) return 0;
  const stopped = new Set<number>();
  const until = bootMillis() + FREEZE_BOUND_MILLIS;
  for (;;) {
    const state = findRunning(top)?.state;
    let fresh = 0;
    for (const pid of listChildren(top.pid)) {
      const child = stopped.has(pid) ? undefined : readProcess(pid);
      if (child === undefined || !signalExactly(child, 'SIGSTOP')) continue;
      stopped.add(pid);
      fresh += 1;
    }
    const cannotFork = state === undefined || state === 'T' || state === 't';
    if ((fresh === 0 && cannotFork) || bootMillis() > until) return stopped.size + 1;
  }
}

/** SIGCONT for all of them, the postmaster last. Harmless for a server that was never stopped. */
export function thawServer(target: FenceTarget): number {
  const top = topOf(target);
  if (top === undefined) return 0;
  const children = listChildren(top.pid).flatMap((pid) => readProcess(pid) ?? []);
  const continued = [...children, top].filter((one) => signalExactly(one, 'SIGCONT'));
  return continued.length;
}
