import {
  addVote,
  extendByPromises,
  listsOf,
  promiseTtlMillis,
  unanimousUntil,
  votersOf,
} from './failsafe.ts';
import type { FailsafeList, ListState, Votes } from './failsafe.ts';
import { isValid } from './lease.ts';
import type { HeldLease } from './lease.ts';
import { earlier, later, plus } from './time.ts';
import type { Instant, Millis } from './time.ts';

/** The promises that a holder counts on, and what they are worth: those of all (P4), and those of most (P17). */
export interface Ballot {
  readonly votes: Votes;
  /** Voters that hear from Consul, and can take over: a leader that does not is not carried past them. */
  readonly hearing: ReadonlySet<string>;
  /** The shortest ttl that promises were last counted for. */
  readonly ttlMillis: Millis;
  /** How much longer than by its promise nobody takes over alone. */
  readonly strayMillis: Millis;
}

export const EMPTY_BALLOT: Ballot = {
  votes: {},
  hearing: new Set(),
  ttlMillis: 0,
  strayMillis: 0,
};

/** A promise that was answered: it binds until then, on the holder's clock. */
export function castVote(
  { votes, hearing, ...terms }: Ballot,
  name: string,
  boundUntil: Instant,
  storeSilent: boolean,
): Ballot {
  const others = [...hearing].filter((each) => each !== name);
  return {
    ...terms,
    votes: addVote(votes, name, boundUntil),
    hearing: new Set(storeSilent ? others : [...others, name]),
  };
}

export interface Count {
  readonly ballot: Ballot;
  /** With the promises of all. */
  readonly renewed: HeldLease;
  readonly isUnanimous: boolean;
  /** And stretched by those of most. */
  readonly extended: HeldLease;
}

/**
 * What still counts where promises are asked for on the terms of now: before a round, and when it is
 * counted. A voter that was started anew has forgotten its promise and waits only for what the record says.
 */
export function onTerms(held: HeldLease, { votes, hearing, ...before }: Ballot): Ballot {
  const ttlMillis = promiseTtlMillis(held);
  const strayMillis = Math.max(0, (held.reachMillis ?? 0) - ttlMillis);
  const outdated = ttlMillis < before.ttlMillis || strayMillis !== before.strayMillis;
  return { votes: outdated ? {} : votes, hearing, ttlMillis, strayMillis };
}

/** Counts after a round that was sent at that moment. */
export function countPromises(
  held: HeldLease,
  before: Ballot,
  list: ListState,
  self: string,
  sentAt: Instant,
  now: Instant,
): Count {
  const ballot = onTerms(held, before);
  const aloneUntil = plus(sentAt, ballot.ttlMillis);
  const allUntil = unanimousUntil(votersOf(list, self), ballot.votes, aloneUntil);
  const renewed = allUntil === undefined ? held : extendByPromises(held, allUntil, now);
  const mostUntil = majorityUntil(ballot, listsOf(list), self, recordedUntil(held));
  const extended = mostUntil === undefined ? renewed : stretch(renewed, mostUntil, now);
  return { ballot, renewed, isUnanimous: allUntil !== undefined, extended };
}

/** Stretched, not renewed: commits stay held (I9), for others may lead without them one day. */
function stretch(held: HeldLease, until: Instant, now: Instant): HeldLease {
  if (!isValid(held, now) || held.lapses === true || held.amnesia) return held;
  return { ...held, end: later(held.end, until) };
}

/** Before that nobody takes over alone, by the record itself; undefined: not known. */
const recordedUntil = ({ confirmedAt, reachMillis }: HeldLease): Instant | undefined =>
  confirmedAt === undefined || reachMillis === undefined
    ? undefined
    : plus(confirmedAt, reachMillis);

function isMajority(list: FailsafeList, agreed: ReadonlySet<string>): boolean {
  const names = Object.keys(list);
  return 2 * names.filter((name) => agreed.has(name)).length > names.length;
}

/**
 * Until when the promises of most hold everyone back, of those that hear from Consul no more than the
 * leader does: the earliest end among those promises, and of the time in which each of the others does
 * nothing alone. Most of every list that may be in effect, the holder among them. Undefined: there is no
 * majority.
 */
export function majorityUntil(
  { votes, hearing, strayMillis }: Ballot,
  lists: readonly FailsafeList[],
  self: string,
  recorded: Instant | undefined,
): Instant | undefined {
  const voters = [...new Set(lists.flatMap((list) => Object.keys(list)))].filter((n) => n !== self);
  let longest: Instant | undefined;
  for (const end of new Set(voters.flatMap((name) => votes[name] ?? []))) {
    const promised = voters.filter((name) => (votes[name] ?? end - 1) >= end && !hearing.has(name));
    const agreed = new Set([...promised, self]);
    if (!lists.every((list) => isMajority(list, agreed))) continue;
    const until = voters
      .filter((name) => !agreed.has(name))
      .map((name) => aloneFrom(votes[name], strayMillis, recorded))
      .reduce((soonest, alone) => soonest && alone && earlier(soonest, alone), end);
    if (until !== undefined) longest = later(longest ?? until, until);
  }
  return longest;
}

/** When somebody who is not bound any more may go alone; undefined: at any time. */
function aloneFrom(
  boundUntil: Instant | undefined,
  strayMillis: Millis,
  recorded: Instant | undefined,
): Instant | undefined {
  if (boundUntil === undefined) return recorded;
  const alone = plus(boundUntil, strayMillis);
  return recorded === undefined ? alone : later(alone, recorded);
}
