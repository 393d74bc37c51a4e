import { LSN_ZERO } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { TimelineSwitch } from './postgres.ts';

/** A history: the timeline one is on, and where each ancestor was left. */
export interface History {
  readonly timeline: number;
  readonly switches: readonly TimelineSwitch[];
}

/**
 * Where `history` left `timeline`; the position itself when that is the timeline it is still on;
 * undefined when the timeline is not in the history at all.
 */
export function leftAt(history: History, timeline: number): Lsn | 'current' | undefined {
  if (timeline === history.timeline) return 'current';
  return history.switches.find((entry) => entry.parent === timeline)?.switchLsn;
}

/** How the end of one log relates to another history. */
export type Relation =
  /** All of it is part of the other history: it can simply be followed. */
  | { readonly kind: 'ancestor' }
  /** It went on after the other left. */
  | { readonly kind: 'diverged'; readonly at: Lsn }
  /** It is on a timeline that the other never was on. */
  | { readonly kind: 'unrelated' };

export function relate(timeline: number, endLsn: Lsn, source: History): Relation {
  const left = leftAt(source, timeline);
  if (left === undefined) return { kind: 'unrelated' };
  if (left === 'current') return { kind: 'ancestor' };
  return endLsn > left ? { kind: 'diverged', at: left } : { kind: 'ancestor' };
}

/** Parses a timeline history file (`1\t0/3000148\tno recovery target specified`); unreadable lines are left out. */
export function parseHistory(
  text: string,
  parse: (lsn: string) => Lsn | undefined,
): readonly TimelineSwitch[] {
  return text
    .split('\n')
    .map((line) => /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)\s*(.*)$/.exec(line))
    .flatMap((match) =>
      match === null
        ? []
        : [
            {
              parent: Number(match[1]),
              switchLsn: parse(match[2] ?? '') ?? LSN_ZERO,
              reason: match[3] ?? '',
            },
          ],
    );
}
