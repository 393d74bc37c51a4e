import type { Rule, Verdict } from '../decision.ts';
import { clusterIdentifier, holdsLease, leader, record, role, targetOf } from '../facts.ts';
import { valueOf } from '../cluster.ts';
import { heardLately } from '../canvass.ts';
import { hasNoRoom, sayFull } from '../disk.ts';
import { needsPromises } from '../failsafe.ts';
import { successors } from '../give-up.ts';
import { isPaused } from '../pause.ts';
import { FAILED_STARTS_MAX } from '../ex-leader.ts';
import { leaseTooShort } from '../lease-left.ts';
import type { Memory } from '../memory.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { View } from '../view.ts';

/** Most pauses between two tries of the same job. */
const RETRY_PAUSE_MAX_MILLIS: Millis = 10_000;

/** The leader's Postgres is down: make it, start it again, or give the lease to someone who can. */
export const leaderDown: Rule = {
  number: 310,
  name: 'leader-down',
  when: 'the lease is held and the own Postgres is down',
  evaluate(view, memory) {
    if (!holdsLease(view) || role(view) !== 'down') return undefined;
    const directory = view.directory?.value;
    if (directory === undefined) return undefined;
    switch (directory.kind) {
      case 'unusable':
        return undefined;
      case 'absent':
      case 'unfinished':
        return withoutData(view, memory, directory.kind);
      case 'cluster':
        return withData(view, memory);
    }
  },
};

function withoutData(view: View, memory: Memory, kind: 'absent' | 'unfinished'): Verdict {
  const mayBootstrap =
    clusterIdentifier(view) === undefined &&
    view.settings.bootstrap !== undefined &&
    memory.failures?.kind !== 'initialise';
  if (!mayBootstrap) {
    return {
      why: 'this member leads without data; the lease is released to those who have it',
      actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }],
      memory: { ...memory, failures: undefined },
    };
  }
  if (kind === 'unfinished') {
    return {
      why: 'an unfinished data directory is set aside',
      actions: [{ kind: 'set-aside', reason: 'unfinished' }],
    };
  }
  return {
    why: 'a new cluster: the data directory is initialised',
    actions: [{ kind: 'initialise' }],
  };
}

function withData(view: View, memory: Memory): Verdict {
  const crashed = countCrash(view, memory);
  const failedStarts = memory.failures?.kind === 'start' ? memory.failures : undefined;
  // A restart that was asked for is no crash; one that fails is.
  const planned = memory.restart !== undefined && failedStarts === undefined;
  const givenUp = planned ? undefined : reasonToHandOver(view, crashed, failedStarts?.count ?? 0);
  if (givenUp !== undefined) {
    return {
      why: `${givenUp}: the lease is handed over`,
      actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }],
      memory: { ...crashed, crashes: [], failures: undefined },
    };
  }
  const instead = planned ? undefined : whereThereIsRoom(view, crashed);
  if (instead !== undefined) return instead;
  if (failedStarts !== undefined) {
    const next = plus(
      failedStarts.lastAt,
      Math.min(1000 * failedStarts.count, RETRY_PAUSE_MAX_MILLIS),
    );
    const why = `Postgres failed to start ${failedStarts.count} times; tries again`;
    if (view.now < next) return { why, wakeAt: next, memory: crashed };
  }
  const tooShort = leaseTooShort(view);
  if (tooShort !== undefined) return { ...tooShort, memory: crashed };
  return {
    why: planned
      ? 'Postgres is started again as asked'
      : 'Postgres of the leader is down and is started in place',
    actions: [
      { kind: 'fence', cause: 'leftovers' },
      { kind: 'start', target: targetOf(view, undefined) },
    ],
    memory: crashed,
  };
}

/** In place is safest: it loses nothing. It is given up when it keeps failing, or by policy. */
function reasonToHandOver(view: View, memory: Memory, failedStarts: number): string | undefined {
  if (!othersExist(view)) return undefined;
  const { crashRestartBudget, timing } = view.settings.policy;
  if (memory.crashes.length > crashRestartBudget) {
    return `Postgres ended ${memory.crashes.length} times in a short while`;
  }
  if (failedStarts >= FAILED_STARTS_MAX) return `Postgres failed to start ${failedStarts} times`;
  return timing.primaryStartTimeoutMillis === 0 && memory.crashes.length > 0
    ? 'Postgres ended and primary_start_timeout is 0'
    : undefined;
}

/** A server that finds no room does not come up: whoever can lead is not kept waiting for failed starts. */
function whereThereIsRoom(view: View, memory: Memory): Verdict | undefined {
  const { held } = view;
  if (!hasNoRoom(view) || isPaused(view) || !othersExist(view)) return undefined;
  // A release needs Consul.
  if (held === undefined || needsPromises(held, view.now)) return undefined;
  const heard = heardLately(view, `${sayFull(view)}: asks who can take over`);
  if ('why' in heard) return { ...heard, memory };
  const able = successors(view, heard.opinions);
  if (able.length === 0) return undefined;
  return {
    why: `${sayFull(view)}, so Postgres would not start: the lease is handed over to ${able.join(' or ')}`,
    actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [view.self] }],
    memory: { ...memory, crashes: [], failures: undefined },
  };
}

/** Counts each exit once. */
function countCrash(view: View, memory: Memory): Memory {
  const postmaster = view.postmaster;
  if (
    postmaster.kind !== 'down' ||
    postmaster.exitedAt === undefined ||
    postmaster.exitCause !== 'exited'
  )
    return memory;
  if (memory.countedExitAt === postmaster.exitedAt) return memory;
  const windowMillis = view.settings.policy.crashWindowMillis;
  const recent = memory.crashes.filter((at) => since(at, view.now) <= windowMillis);
  return {
    ...memory,
    crashes: [...recent, postmaster.exitedAt].slice(-20),
    countedExitAt: postmaster.exitedAt,
  };
}

function othersExist(view: View): boolean {
  const cluster = record(view);
  if (cluster === undefined || leader(view) === undefined) return false;
  const lease = valueOf(cluster.lease);
  return (
    lease !== undefined &&
    cluster.members.some((member) => member.key.name !== view.self && member.key.role === 'replica')
  );
}
