import type { Ancestor, Generation } from './cluster.ts';
import { LSN_ZERO } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { HostMemory } from './view.ts';

/**
 * Two promotions can give the same timeline number, so that a log is known by the generation under
 * which its timeline was promoted and the number together (I7).
 */
export interface Branch {
  readonly id: string;
  readonly timeline: number;
  /** Set while `id` is a guess: where the timeline began as the own history has it, 0 when not known. */
  readonly guessedFrom?: Lsn | undefined;
}

/** The newest generation that has promoted, this one or an ancestor: its timeline is the cluster's history. */
export function promotedGeneration(
  generation: Generation | undefined,
): Pick<Ancestor, 'id' | 'timeline' | 'switchLsn'> | undefined {
  if (generation === undefined) return undefined;
  if (generation.timeline > 0) return generation;
  return generation.ancestors.find((ancestor) => ancestor.timeline > 0);
}

/** The promotions that made the cluster's history: one generation may have promoted more than once. */
const lineage = (generation: Generation): readonly Ancestor[] => [
  generation,
  ...generation.ancestors,
];

/**
 * Part of the cluster's history. Whoever promoted last may have done so again without having been
 * able to record it. A guess is judged by where the timeline of that number began, if that is known.
 */
function isKnown(generation: Generation, { id, timeline, guessedFrom }: Branch): boolean {
  const sameNumber = lineage(generation).find((other) => other.timeline === timeline);
  if (guessedFrom !== undefined && guessedFrom > LSN_ZERO && sameNumber !== undefined) {
    if (sameNumber.switchLsn > LSN_ZERO) return sameNumber.switchLsn === guessedFrom;
  }
  return (
    id === generation.id ||
    id === promotedGeneration(generation)?.id ||
    lineage(generation).some((other) => other.id === id && other.timeline === timeline)
  );
}

/** Id under which this host promoted to `timeline`, when the cluster's history does not know that promotion. */
export function strayPromotion(
  host: HostMemory,
  generation: Generation,
  timeline: number,
): string | undefined {
  const own = host.promotions.filter((promotion) => promotion.timeline === timeline);
  return own.some((promotion) => isKnown(generation, promotion)) ? undefined : own[0]?.id;
}

/**
 * Whose timeline it is that this data directory received; undefined: not known. A standby goes over
 * to a higher timeline by itself. Most likely it was promoted by the member that it was pointed at,
 * under the generation of that member's that the record shows, or else the one that it was pointed
 * there under; but that member may also have passed on what it received itself.
 */
export function receivedBranch(
  host: Pick<HostMemory, 'followed' | 'promotions'>,
  generation: Generation | undefined,
  timeline: number,
): Branch | undefined {
  const { followed } = host;
  if (followed === undefined || followed.timeline > timeline) return undefined;
  // Not received at all: promoted here, and never written down as followed.
  if (host.promotions.some((promotion) => promotion.timeline === timeline)) return undefined;
  if (followed.timeline === timeline)
    return { id: followed.id, timeline, guessedFrom: followed.guessedFrom };
  const { from } = followed;
  if (from === undefined) return undefined;
  const recorded =
    generation === undefined
      ? undefined
      : lineage(generation).find((entry) => entry.timeline === timeline && entry.holder === from);
  const present = generation?.holder === from ? generation.id : undefined;
  return { id: recorded?.id ?? present ?? followed.id, timeline, guessedFrom: LSN_ZERO };
}

/**
 * Generation under which this very timeline was received, when the cluster's history does not know
 * it: what has the same number there is another one. Undefined too when nothing is known of it.
 */
export function strayReceived(
  host: HostMemory,
  generation: Generation,
  timeline: number,
): string | undefined {
  const branch = receivedBranch(host, generation, timeline);
  return branch === undefined || isKnown(generation, branch) ? undefined : branch.id;
}
