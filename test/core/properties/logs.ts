import { lsn } from '../../../src/core/lsn.ts';
import type { TimelineSwitch } from '../../../src/core/postgres.ts';
import type { History } from '../../../src/core/timeline.ts';

/**
 * Logs as they really are, beside what the members know of them. A branch is what one promotion
 * began; two branches may have the same number, and only this model can always tell them apart.
 */
export interface Branch {
  readonly number: number;
  /** Generation under which it was promoted. */
  readonly id: string;
  readonly parent: Branch | undefined;
  /** Where it left the parent. */
  readonly from: bigint;
}
export interface Log {
  readonly branch: Branch;
  readonly end: bigint;
}

export const pathOf = (branch: Branch): readonly Branch[] =>
  branch.parent === undefined ? [branch] : [...pathOf(branch.parent), branch];

/** Where a log goes over from this branch to the next of its branches, or ends. */
function leaves(log: Log, branch: Branch): bigint {
  const path = pathOf(log.branch);
  return path[path.indexOf(branch) + 1]?.from ?? log.end;
}

/** Up to where two logs are the same. */
export function commonEnd(a: Log, b: Log): bigint {
  const theirs = pathOf(b.branch);
  const shared = pathOf(a.branch).filter((branch) => theirs.includes(branch));
  const last = shared.at(-1);
  if (last === undefined) return 0n;
  const [ours, others] = [leaves(a, last), leaves(b, last)];
  return ours < others ? ours : others;
}

export const isPrefix = (a: Log, of: Log): boolean => commonEnd(a, of) === a.end;

/** What a server says of its history: numbers and positions, no ids. */
export function historyOf(log: Log): History {
  const path = pathOf(log.branch);
  const switches = path.slice(1).map((branch, at): TimelineSwitch => ({
    parent: path[at]?.number ?? 0,
    switchLsn: lsn(branch.from),
    reason: '',
  }));
  return { timeline: log.branch.number, switches };
}

/**
 * Where pg_rewind takes two logs apart: after the last entry in which number and beginning agree
 * (findCommonAncestorTimeline in pg_rewind.c). Undefined: it refuses, because it finds none or takes
 * both for the same.
 */
export function rewindPoint(target: Log, source: Log): bigint | undefined {
  if (target.branch.number === source.branch.number) return undefined;
  const [ours, theirs] = [pathOf(target.branch), pathOf(source.branch)];
  const differ = ours.findIndex((branch, at) => {
    const other = theirs[at];
    return other?.number !== branch.number || other.from !== branch.from;
  });
  const last = differ < 0 ? ours.length - 1 : differ - 1;
  const [a, b] = [ours[last], theirs[last]];
  if (a === undefined || b === undefined) return undefined;
  const [left, right] = [ours[last + 1]?.from, theirs[last + 1]?.from];
  if (left === undefined || right === undefined) return left ?? right ?? 0n;
  return left < right ? left : right;
}
