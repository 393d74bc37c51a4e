import type { Member } from './cluster.ts';
import { isValid, renewal } from './lease.ts';
import type { HeldLease } from './lease.ts';
import { later, plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';

/**
 * The holder's side of failsafe: who must promise, and what unanimous promises are worth. Member
 * names map to their `api_url`, as in Patroni's key.
 */
export type FailsafeList = Readonly<Record<string, string>>;

/** Members stay listed this long after they were last seen: losing a session is not leaving. */
const ABSENCE_MILLIS: Millis = 600_000;
/** A heartbeat unanswered for this long is overdue. */
export const OVERDUE_MILLIS: Millis = 300;
/** Longest wait for the promise of one member. */
export const ASK_MILLIS: Millis = 280;

export interface ListState {
  /** In effect, as far as this holder knows. Undefined: unknown, must be read. */
  readonly confirmed: FailsafeList | undefined;
  /** Sent and not settled: each may be in effect, or come into effect. */
  readonly sent: readonly FailsafeList[];
  readonly lastSeen: Readonly<Record<string, Instant>>;
}

export const NO_LIST: ListState = { confirmed: undefined, sent: [], lastSeen: {} };

/** What is in effect, as read or confirmed. Whoever is on it counts as seen now: it may just be away. */
export function confirmList(state: ListState, confirmed: FailsafeList, now: Instant): ListState {
  const lastSeen: Record<string, Instant> = { ...state.lastSeen };
  for (const name of Object.keys(confirmed)) lastSeen[name] ??= now;
  return { ...state, confirmed, lastSeen };
}

/** Notes who is present; who left in good order (`stopped`) is forgotten at once. */
export function notePresence(
  state: ListState,
  members: readonly Member[],
  now: Instant,
): ListState {
  const lastSeen: Record<string, Instant> = { ...state.lastSeen };
  for (const { key } of members) {
    if (key.state === 'stopped' && key.role === 'uninitialized') delete lastSeen[key.name];
    else lastSeen[key.name] = now;
  }
  return { ...state, lastSeen };
}

/** The list that ought to be in effect. The holder is always on it. */
export function wantedList(
  state: ListState,
  members: readonly Member[],
  self: { readonly name: string; readonly apiUrl: string },
  now: Instant,
): FailsafeList {
  const wanted: Record<string, string> = {};
  for (const [name, apiUrl] of Object.entries(state.confirmed ?? {})) {
    const seen = state.lastSeen[name];
    const present = members.some((member) => member.key.name === name);
    if (present || (seen !== undefined && since(seen, now) < ABSENCE_MILLIS)) wanted[name] = apiUrl;
  }
  for (const { key } of members) {
    if (!(key.state === 'stopped' && key.role === 'uninitialized')) wanted[key.name] = key.apiUrl;
    else delete wanted[key.name];
  }
  wanted[self.name] = self.apiUrl;
  return wanted;
}

export function sameList(a: FailsafeList | undefined, b: FailsafeList | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Each list that may be in effect. */
export const listsOf = ({ confirmed, sent }: ListState): readonly FailsafeList[] => [
  ...(confirmed === undefined ? [] : [confirmed]),
  ...sent,
];

/** Everyone who may have to promise: the confirmed list and every list that may be in effect. */
export function votersOf(state: ListState, self: string): FailsafeList {
  const union: Record<string, string> = {};
  for (const list of listsOf(state)) Object.assign(union, list);
  delete union[self];
  return union;
}

/** Per voter: until when it is bound on the holder's clock, from the sending of what it answered. */
export type Votes = Readonly<Record<string, Instant>>;

export const addVote = (votes: Votes, name: string, boundUntil: Instant): Votes => {
  const before = votes[name];
  return { ...votes, [name]: before === undefined ? boundUntil : later(before, boundUntil) };
};

/**
 * Until when all voters are bound; undefined: not unanimous. With nobody to ask, for a ttl from the
 * sending of the present round.
 */
export function unanimousUntil(
  voters: FailsafeList,
  votes: Votes,
  aloneUntil: Instant,
): Instant | undefined {
  let earliest: Instant | undefined;
  for (const name of Object.keys(voters)) {
    const until = votes[name];
    if (until === undefined) return undefined;
    if (earliest === undefined || until < earliest) earliest = until;
  }
  return earliest ?? aloneUntil;
}

/** What is asked for: never more than what any record that followers may have read allows for. */
export const promiseTtlMillis = (held: HeldLease): Millis =>
  Math.min(
    held.ttlInForceMillis,
    held.ttlConfirmedMillis,
    held.ttlForgottenMillis ?? held.ttlInForceMillis,
    ...held.sent.map((sent) => sent.ttlMillis),
  );

/** Unanimous promises extend a lease that is still valid, and no other. */
export function extendByPromises(held: HeldLease, boundUntil: Instant, now: Instant): HeldLease {
  if (!isValid(held, now) || held.lapses === true) return held;
  // Asked for a shorter ttl before, a voter's answer counts as older than it is.
  return { ...held, ...renewal(held, plus(boundUntil, -promiseTtlMillis(held)), boundUntil) };
}

/**
 * A heartbeat is unanswered for too long, or does not count: promises are what is left. A paused
 * lease stands without them; but a store that has lost it is vouched for by nobody else.
 */
export function needsPromises(held: HeldLease, now: Instant): boolean {
  if (!isValid(held, now) || held.lapses === true) return false;
  return held.amnesia || (!held.paused && isOverdue(held, now));
}

/** Heartbeats are not acknowledged right now, or do not count: nothing can be given away. */
export const lacksConsul = (held: HeldLease, now: Instant): boolean =>
  held.amnesia || isOverdue(held, now);

/** Consul does not acknowledge heartbeats right now. */
function isOverdue(held: HeldLease, now: Instant): boolean {
  const unread = held.leaseIndex === undefined && held.confirmedAt === undefined;
  const overdueAt = beatOverdueAt(held);
  return unread || (overdueAt !== undefined && now > overdueAt);
}

/** Until when the oldest unanswered heartbeat is not overdue; undefined: none is unanswered. */
export function beatOverdueAt({ sent: [oldest] }: HeldLease): Instant | undefined {
  return oldest === undefined ? undefined : plus(oldest.sentAt, OVERDUE_MILLIS);
}
