import type { Millis } from '../../src/core/time.ts';

/** A write that some server acknowledged. All times are of one monotonic clock. */
export interface Acknowledged {
  readonly writer: string;
  readonly id: number;
  /** Whose Postgres answered. */
  readonly host: string;
  /** On which timeline: each promotion begins a higher one. */
  readonly timeline: number;
  readonly sentAtMillis: Millis;
  /** When the answer was received. */
  readonly atMillis: Millis;
}

/** `writer id`, as it is asked for in SQL. */
export type RowKey = string;

export const keyOf = ({ writer, id }: Acknowledged): RowKey => `${writer} ${id}`;

/** Writes that should not have been, and between which moments they were acknowledged. */
export interface Wrong {
  readonly count: number;
  readonly spanMillis: Millis;
}

export interface Measures {
  /** All that was acknowledged from the fault on. */
  readonly acknowledged: number;
  /** Acknowledged, and not in the final primary. */
  readonly lost: Wrong;
  /**
   * Acknowledged by a superseded primary to a client of its own host after its successor had
   * acknowledged a write; over a network an answer may just have been slow. The span counts from the
   * moment at which a host that stood still went on, if it did so later than that.
   */
  readonly stale: Wrong;
  /** Timelines on which two hosts acknowledged writes: two promotions that nobody told apart. */
  readonly forked: readonly number[];
  /** The longest time in which nothing was acknowledged that is kept. */
  readonly gapMillis: Millis;
  /** The same of the client that follows GET /primary. */
  readonly applicationGapMillis: Millis;
}

export interface Episode {
  /** In the order of their answers, from `fromMillis` on. */
  readonly acknowledged: readonly Acknowledged[];
  /** Acknowledged before that, and not known to be lost already. */
  readonly earlier: readonly Acknowledged[];
  /** Before the fault. */
  readonly fromMillis: Millis;
  readonly untilMillis: Millis;
  /** The last moment at which a host that had stood still was let go on. */
  readonly resumedAtMillis: Millis | undefined;
  /** What the final primary has. */
  readonly rows: ReadonlySet<RowKey>;
  /** Name of the writer that follows GET /primary. */
  readonly application: string;
}

const spanOf = (times: readonly Millis[]): Millis =>
  times.length === 0 ? 0 : Math.max(...times) - Math.min(...times);

/** Those that came from a timeline when a higher one had already been written to, and when that was. */
export function staleWrites(
  acknowledged: readonly Acknowledged[],
): { readonly write: Acknowledged; readonly supersededAtMillis: Millis }[] {
  /** When the newest timeline so far was first written to. */
  let newest = { timeline: 0, atMillis: -Infinity };
  return acknowledged.flatMap((write) => {
    if (write.timeline > newest.timeline) {
      newest = { timeline: write.timeline, atMillis: write.atMillis };
    }
    return write.timeline < newest.timeline ? [{ write, supersededAtMillis: newest.atMillis }] : [];
  });
}

function forkedTimelines(acknowledged: readonly Acknowledged[]): number[] {
  const hosts = new Map<number, Set<string>>();
  for (const { timeline, host } of acknowledged) {
    hosts.set(timeline, (hosts.get(timeline) ?? new Set()).add(host));
  }
  return [...hosts].filter(([, of]) => of.size > 1).map(([timeline]) => timeline);
}

function longestGap(acknowledged: readonly Acknowledged[], from: Millis, until: Millis): Millis {
  const edges = [from, ...acknowledged.map(({ atMillis }) => atMillis), until];
  return edges.reduce((longest, at, index) => Math.max(longest, at - (edges[index - 1] ?? at)), 0);
}

/** What one fault did to the writers. */
export function measure(episode: Episode): Measures {
  const { acknowledged, fromMillis, untilMillis, rows } = episode;
  const resumedAtMillis = episode.resumedAtMillis ?? -Infinity;
  const lost = [...episode.earlier, ...acknowledged].filter((write) => !rows.has(keyOf(write)));
  const kept = acknowledged.filter((write) => rows.has(keyOf(write)));
  const stale = staleWrites(acknowledged.filter(({ writer }) => writer !== episode.application));
  const staleSpans = stale.map(({ write: { atMillis }, supersededAtMillis }) =>
    atMillis < resumedAtMillis || supersededAtMillis > resumedAtMillis
      ? atMillis - supersededAtMillis
      : atMillis - resumedAtMillis,
  );
  return {
    acknowledged: acknowledged.length,
    lost: { count: lost.length, spanMillis: spanOf(lost.map(({ atMillis }) => atMillis)) },
    stale: { count: stale.length, spanMillis: Math.max(0, ...staleSpans) },
    forked: forkedTimelines(acknowledged),
    gapMillis: longestGap(kept, fromMillis, untilMillis),
    applicationGapMillis: longestGap(
      kept.filter(({ writer }) => writer === episode.application),
      fromMillis,
      untilMillis,
    ),
  };
}
