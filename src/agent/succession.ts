import { receivedBranch } from '../core/branch.ts';
import type { Ancestor, ClusterRecord, Generation } from '../core/cluster.ts';
import { valueOf } from '../core/cluster.ts';
import type { FailsafeList } from '../core/failsafe.ts';
import { LSN_ZERO } from '../core/lsn.ts';
import { promotionsMade } from './host-memory.ts';
import type { AgentState } from './state.ts';

export const ANCESTORS_KEPT = 32;

/**
 * A winner's list is the one it has verified plus itself; a released lease lifts the former. Where
 * the store has lost the past, the list is lost with it: everyone is asked who was ever seen, or the
 * winner would go on alone while the next loss lets another one win.
 */
export function listAfter(record: ClusterRecord, state: AgentState): FailsafeList | undefined {
  const { member, policy } = state.ports.settings.current();
  if (!policy.failsafe) return undefined;
  const recorded = valueOf(record.generation)?.n ?? 0;
  const lost = recorded === 0 || recorded < state.host.floor.n;
  const known = lost ? Object.fromEntries(state.knownMembers) : {};
  return { ...known, ...valueOf(record.failsafe), [member.name]: member.apiUrl };
}

/**
 * The history that the winner's data have: what the record says, and what this host knows of them
 * itself, in case the record was lost or is an old one.
 */
export function ancestorsOf(
  before: Generation | undefined,
  state: AgentState,
): readonly Ancestor[] {
  const { host } = state;
  const { name } = state.ports.settings.current().member;
  const promoted = promotionsMade(host).map((entry): Ancestor => ({ ...entry, holder: name }));
  const probed = state.probe?.value;
  const timeline = probed?.kind === 'answered' ? probed.facts.timeline : 0;
  const written: readonly Ancestor[] =
    before === undefined ? [] : [...(before.timeline > 0 ? [before] : []), ...before.ancestors];
  // One log has one timeline of each number, and this one was promoted here.
  const isAnothers = ({ id, timeline: on }: Ancestor): boolean => {
    const own = promoted.filter((entry) => entry.timeline === on);
    return own.length > 0 && own.every((entry) => entry.id !== id);
  };
  // What was promoted after the own log ends is no part of its history any more.
  const recorded = written.filter(
    (entry) => (timeline === 0 || entry.timeline <= timeline) && !isAnothers(entry),
  );
  // The log may have gone over to a timeline that nobody has written down yet; one that it was
  // pointed at and never received is no part of it.
  const pointedAt = host.followed;
  const branches =
    pointedAt === undefined || pointedAt.timeline > timeline
      ? []
      : [pointedAt, receivedBranch(host, before, timeline)];
  const received = branches.flatMap((branch): Ancestor[] => {
    if (branch === undefined) return [];
    const { id, timeline: on, guessedFrom } = branch;
    const itself = (entry: Ancestor): boolean =>
      entry.timeline === on && entry.switchLsn === guessedFrom && guessedFrom > LSN_ZERO;
    // Whose it is was a guess; the record knows the very same.
    if (recorded.some(itself)) return [];
    return [{ id, timeline: on, switchLsn: guessedFrom ?? LSN_ZERO, holder: pointedAt?.from }];
  });
  const all = [...recorded, ...promoted, ...received];
  const first = all.filter(
    (entry, at) =>
      at === all.findIndex((other) => other.id === entry.id && other.timeline === entry.timeline),
  );
  const sorted = first.toSorted((a, b) => b.timeline - a.timeline);
  return sorted
    .slice(0, ANCESTORS_KEPT)
    .map(({ id, holder, timeline: on, switchLsn }) => ({ id, holder, timeline: on, switchLsn }));
}
