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
  if (followed === undefined) return undefined;
  // Not received at all: promoted here, and never written down as followed.
  if (host.promotions.some((promotion) => promotion.timeline === timeline)) return undefined;
  if (followed.timeline === timeline)
    return { id: followed.id, timeline, guessedFrom: followed.guessedFrom };
  if (followed.timeline > timeline) return notThereYet(followed, timeline);
  const { from } = followed;
  if (from === undefined) return undefined;
  const recorded =
    generation === undefined
      ? undefined
      : lineage(generation).find((entry) => entry.timeline === timeline && entry.holder === from);
  const present = generation?.holder === from ? generation.id : undefined;
  return { id: recorded?.id ?? present ?? followed.id, timeline, guessedFrom: LSN_ZERO };
}

/** Pointed at a newer timeline: this one is in the history of that, recorded or not. */
function notThereYet(
  { id, lineage: known = [] }: NonNullable<HostMemory['followed']>,
  timeline: number,
): Branch | undefined {
  const recorded = known.find((entry) => entry.timeline === timeline);
  if (recorded !== undefined) return recorded;
  const older = known.some((entry) => entry.timeline < timeline);
  return older ? { id, timeline } : undefined;
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

/**
 * Where the cluster's history went on from this older timeline to the next; undefined: the record
 * does not tell for certain. A log on that timeline which ends before is a part of that history.
 */
export function leftFrom(
  host: HostMemory,
  generation: Generation,
  timeline: number,
): Lsn | undefined {
  const foreign =
    strayPromotion(host, generation, timeline) ?? strayReceived(host, generation, timeline);
  const known = lineage(generation).filter((entry) => entry.timeline > 0);
  if (foreign !== undefined || !known.some((entry) => entry.timeline === timeline))
    return undefined;
  // A number that is skipped may be a promotion that was never recorded.
  const next = known.find((entry) => entry.timeline === timeline + 1);
  return next !== undefined && next.switchLsn > LSN_ZERO ? next.switchLsn : undefined;
}

/**
 * A number at or below the own timeline under which this log and the cluster's history may have
 * different promotions; undefined: none. `numbers`: the timelines of the leader's history.
 */
export function twinNumber(
  host: HostMemory,
  generation: Generation,
  timeline: number,
  numbers: readonly number[],
): number | undefined {
  const { followed } = host;
  const newest = receivedBranch(host, generation, timeline);
  const own: readonly Branch[] = [
    ...host.promotions,
    ...(newest === undefined ? [] : [newest]),
    ...(followed?.lineage ?? []),
  ].filter((branch) => branch.timeline <= timeline);
  const oldest = Math.min(...own.map((branch) => branch.timeline));
  return numbers.find((number) => {
    // What lies before all that is remembered is the common past.
    if (number > timeline || number < oldest) return false;
    const branches = own.filter((branch) => branch.timeline === number);
    return !branches.some((branch) => isKnown(generation, branch));
  });
}

/** The promotions of a recorded history, to be remembered with a log that is part of it. */
export const branchesOf = (generation: Generation): readonly Branch[] =>
  lineage(generation)
    .filter((entry) => entry.timeline > 0)
    .map(({ id, timeline }) => ({ id, timeline }));
