import { lsn } from '../../src/core/lsn.ts';
import type { Lsn } from '../../src/core/lsn.ts';
import type { TimelineSwitch } from '../../src/core/postgres.ts';

/**
 * What one promotion began. Two branches may carry the same timeline number, which PostgreSQL cannot
 * tell apart and the simulator can: a branch has one writer ever, so a branch and a position say
 * everything about the content of a log.
 */
export interface Branch {
  readonly serial: number;
  readonly timeline: number;
  readonly parent: { readonly branch: Branch; readonly at: Lsn } | undefined;
}

export interface Position {
  readonly branch: Branch;
  readonly end: Lsn;
}

export const FIRST_LSN: Lsn = lsn(0x1000028n);

/** Moves a position by so many bytes. */
export const advanced = (position: Lsn, bytes: number): Lsn => lsn(position + BigInt(bytes));

/** The timeline history file as PostgreSQL writes it, oldest first. */
export function switchesOf(branch: Branch): readonly TimelineSwitch[] {
  const switches: TimelineSwitch[] = [];
  for (let at = branch; at.parent !== undefined; at = at.parent.branch) {
    switches.push({
      parent: at.parent.branch.timeline,
      switchLsn: at.parent.at,
      reason: 'no recovery target specified',
    });
  }
  return switches.reverse();
}

/** The truth: everything in `a` is in `b` too. */
export function isPartOf(a: Position, b: Position): boolean {
  let limit: Lsn = b.end;
  for (let at: Branch | undefined = b.branch; at !== undefined;) {
    if (at === a.branch) return a.end <= limit;
    const parent: Branch['parent'] = at.parent;
    if (parent === undefined) return false;
    if (parent.at < limit) limit = parent.at;
    at = parent.branch;
  }
  return false;
}

/** Where the log of `b` left the timeline number of `a`, as PostgreSQL finds it: by number alone. */
export function leftByNumber(a: number, b: Branch): Lsn | 'current' | undefined {
  if (b.timeline === a) return 'current';
  return switchesOf(b).find((entry) => entry.parent === a)?.switchLsn;
}
