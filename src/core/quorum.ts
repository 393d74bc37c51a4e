import { NO_SYNC_NAMES } from './sync-names.ts';
import type { SyncNames } from './sync-names.ts';

/**
 * Synchronous replication as two sets that must always overlap: whoever must answer before anyone is
 * promoted, and whoever must have a commit before it is acknowledged. One lives in Consul (key `sync`),
 * the other in PostgreSQL (`synchronous_standby_names`); they can only be changed one after the other.
 * The leader is in neither: it has every commit that it acknowledged.
 */

/** Any `quorum + 1` of the voters may decide on a promotion. No voters: only the former leader leads again. */
export interface Electorate {
  readonly voters: readonly string[];
  readonly quorum: number;
}

/** A commit is acknowledged once `count` of the standbys have flushed it; 0: by the leader alone. */
export interface CommitRule {
  readonly standbys: readonly string[];
  readonly count: number;
}

export const NO_VOTERS: Electorate = { voters: [], quorum: 0 };
export const ALONE: CommitRule = { standbys: [], count: 0 };

const without = (all: readonly string[], some: readonly string[]): readonly string[] =>
  all.filter((name) => !some.includes(name));

const union = (a: readonly string[], b: readonly string[]): readonly string[] => [
  ...a,
  ...without(b, a),
];

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && without(a, b).length === 0;

export const sameElectorate = (a: Electorate, b: Electorate): boolean =>
  a.quorum === b.quorum && sameSet(a.voters, b.voters);

const sameRule = (a: CommitRule, b: CommitRule): boolean =>
  a.count === b.count && sameSet(a.standbys, b.standbys);

/** Whether any set of voters that may decide has a member that has any commit acknowledged under the rule. */
export function overlaps({ voters, quorum }: Electorate, { standbys, count }: CommitRule): boolean {
  const votes = quorum + 1;
  if (votes > voters.length) return true;
  if (count === 0) return false;
  const both = voters.length - without(voters, standbys).length;
  const votesInside = Math.max(0, votes - without(voters, standbys).length);
  const acknowledgedInside = Math.max(0, count - without(standbys, voters).length);
  return votesInside + acknowledgedInside > both;
}

/** Whether every set that may decide under `next` contains one that might have decided before. */
function restricts(next: Electorate, before: Electorate): boolean {
  if (next.quorum + 1 > next.voters.length) return true;
  if (before.quorum + 1 > before.voters.length) return false;
  const votesOfBefore = next.quorum + 1 - without(next.voters, before.voters).length;
  return votesOfBefore >= before.quorum + 1;
}

/** The fewest acknowledgements of these standbys that overlap with every one of the electorates. */
function leastRule(standbys: readonly string[], electorates: readonly Electorate[]): CommitRule {
  for (let count = 1; count < standbys.length; count += 1) {
    const rule = { standbys, count };
    if (electorates.every((electorate) => overlaps(electorate, rule))) return rule;
  }
  return { standbys, count: standbys.length };
}

export interface SyncState {
  /** As the key in Consul is known to be. */
  readonly electorate: Electorate;
  /** As it is in effect in PostgreSQL. */
  readonly rule: CommitRule;
  /** Have flushed all that was there when the rule came into effect. */
  readonly confirmed: readonly string[];
}

export interface SyncGoal {
  /** Connected standbys that shall have each commit; empty: nobody is there. */
  readonly standbys: readonly string[];
  readonly count: number;
  /** Without a standby commits wait instead of being acknowledged by the leader alone. */
  readonly strict: boolean;
}

export type SyncStep =
  | { readonly kind: 'electorate'; readonly electorate: Electorate }
  | { readonly kind: 'rule'; readonly rule: CommitRule }
  /** These have to catch up first. */
  | { readonly kind: 'await'; readonly standbys: readonly string[] }
  | { readonly kind: 'settled' };

/**
 * The next single change on the way to the goal. After each step, done, undone or half done by a
 * leader that died, the sets overlap, and the same function finds the way on.
 */
export function planSync(state: SyncState, goal: SyncGoal): SyncStep {
  // Somebody else has changed one of the two: what was acknowledged meanwhile, only the leader has.
  if (!overlaps(state.electorate, state.rule)) return { kind: 'electorate', electorate: NO_VOTERS };
  if (goal.strict && goal.standbys.length === 0) {
    // Nothing to wait for, and nobody to let go: what is waited for stays. A rule that waits for
    // nobody is the caller's to replace.
    return { kind: 'settled' };
  }
  const rule: CommitRule = { standbys: goal.standbys, count: goal.count };
  const electorate: Electorate =
    goal.standbys.length === 0
      ? NO_VOTERS
      : { voters: goal.standbys, quorum: goal.standbys.length - goal.count };
  const unconfirmed = without(electorate.voters, state.confirmed);
  const decidable = unconfirmed.length === 0 || restricts(electorate, state.electorate);
  if (
    !sameElectorate(state.electorate, electorate) &&
    overlaps(electorate, state.rule) &&
    decidable
  )
    return { kind: 'electorate', electorate };
  if (sameRule(state.rule, rule)) {
    return sameElectorate(state.electorate, electorate)
      ? { kind: 'settled' }
      : { kind: 'await', standbys: unconfirmed };
  }
  if (overlaps(state.electorate, rule)) return { kind: 'rule', rule };
  const both = leastRule(union(state.rule.standbys, goal.standbys), [state.electorate, electorate]);
  return sameRule(state.rule, both)
    ? { kind: 'await', standbys: unconfirmed }
    : { kind: 'rule', rule: both };
}

/**
 * Who may be promoted after `winner` once it has taken over from `leader`: the former leader has
 * every commit, the winner had all that counted. Set in the takeover itself, so that no commit is
 * acknowledged under an electorate that was made for another leader.
 */
export function electorateAfter(before: Electorate, leader: string, winner: string): Electorate {
  if (winner === leader) return before;
  if (before.voters.length === 0) return NO_VOTERS;
  return {
    voters: union(without(before.voters, [winner]), [leader]),
    quorum: before.quorum,
  };
}

/** What a new leader's commits must wait for from their first on, whoever of these is there. */
export const ruleFor = (electorate: Electorate): CommitRule =>
  electorate.voters.length === 0 ? ALONE : leastRule(electorate.voters, [electorate]);

export interface Ballot {
  readonly candidate: string;
  /** Voters that answered with a log that is not ahead of the candidate's. */
  readonly votes: readonly string[];
}

/** How many votes a candidate lacks before it certainly has every acknowledged commit; 0: none. */
export function votesMissing(
  electorate: Electorate,
  leader: string,
  { candidate, votes }: Ballot,
): number {
  if (candidate === leader) return 0;
  if (electorate.voters.length === 0) return Number.POSITIVE_INFINITY;
  const counted = union(
    electorate.voters.filter((name) => votes.includes(name)),
    electorate.voters.filter((name) => name === candidate),
  );
  return Math.max(0, electorate.quorum + 1 - counted.length);
}

/** The rule as PostgreSQL is told it. FIRST where all must answer, so that the list reads as Patroni's. */
export function namesOf(rule: CommitRule, mode: 'on' | 'quorum'): SyncNames {
  if (rule.count === 0) return NO_SYNC_NAMES;
  const kind = mode === 'quorum' || rule.count < rule.standbys.length ? 'any' : 'first';
  return { kind, count: rule.count, names: rule.standbys.toSorted() };
}

/** What PostgreSQL waits for as a rule; FIRST with spare names is as weak as ANY. */
export const ruleOf = (names: SyncNames): CommitRule =>
  names.kind === 'none' ? ALONE : { standbys: names.names, count: names.count };
