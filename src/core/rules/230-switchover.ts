import { precondition } from '../action.ts';
import type { Answer } from '../action.ts';
import { rankPeers } from '../candidates.ts';
import { heardSince } from '../canvass.ts';
import { ABSENT, findMember, valueOf } from '../cluster.ts';
import type { Rule, Verdict } from '../decision.ts';
import {
  clusterIdentifier,
  holdsLease,
  leader,
  leaseIsOver,
  ownLsn,
  record,
  role,
  server,
} from '../facts.ts';
import { lacksConsul } from '../failsafe.ts';
import { beginHandover } from '../handover.ts';
import { lagBytes } from '../lsn.ts';
import type { Memory } from '../memory.ts';
import { isPaused, needsCandidate, pausedHolder } from '../pause.ts';
import type { ServerFacts } from '../postgres.ts';
import { syncVoters } from '../sync-terms.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';
import type { Canvass, PeerOpinion, PendingCommand, View } from '../view.ts';

const STANDBY_PATIENCE_MILLIS: Millis = 3000;
const STANDBY_POLL_MILLIS: Millis = 200;

type Wish = PendingCommand & { readonly kind: 'switchover' | 'failover' };

/** A planned change of leader: refused with the reason, or begun as a hand-over. */
export const switchover: Rule = {
  number: 230,
  name: 'switchover',
  when: 'an operator asked for a switchover or failover',
  evaluate(view, memory) {
    const command = view.command;
    if (command?.kind !== 'switchover' && command?.kind !== 'failover') return undefined;
    const wish: Wish = command;
    if (isOwnSuccess(view, wish)) {
      if (role(view) !== 'primary') return undefined;
      return answerWith(wish, { kind: 'done', message: `Failed over to "${view.self}"` });
    }
    const refusal = refuse(view, wish);
    if (refusal !== undefined) return answerWith(wish, refusal);
    if (!holdsLease(view)) return forcedTakeover(view, wish);
    const asynchronous = notSynchronous(view, wish);
    // A standby may be about to be taken in, by the duties of a leader.
    if (asynchronous !== undefined)
      return isWorthAWait(view, wish) ? undefined : answerWith(wish, asynchronous);
    return handOverTo(view, memory, wish);
  },
};

function handOverTo(view: View, memory: Memory, wish: Wish): Verdict {
  const heard = heardSince(view, wish.at, `${wish.kind}: asks the members who can take over`);
  if ('why' in heard) return heard;
  const ranked = rankPeers(view, heard.opinions);
  const chosen = ranked.eligible.find(
    ({ name }) => (wish.candidate ?? name) === name && isAllowed(view, wish, name),
  );
  if (chosen === undefined) {
    return awaitStandby(view, wish, heard) ?? answerWith(wish, noCandidate(wish, ranked.refused));
  }
  return begin(view, memory, wish, chosen.name);
}

/** Patroni's contract: a switchover goes to a synchronous standby only, a failover to anyone. */
function isAllowed(view: View, wish: Wish, candidate: string): boolean {
  const voters = wish.kind === 'switchover' ? syncVoters(view) : undefined;
  return voters === undefined || voters.includes(candidate);
}

function notSynchronous(view: View, wish: Wish): Answer | undefined {
  const voters = wish.kind === 'switchover' ? syncVoters(view) : undefined;
  if (voters === undefined) return undefined;
  if (voters.length === 0)
    return precondition('switchover is not possible: can not find sync_standby');
  return wish.candidate === undefined || voters.includes(wish.candidate)
    ? undefined
    : precondition('candidate name does not match with sync_standby');
}

const isWorthAWait = (view: View, wish: Wish): boolean =>
  syncVoters(view)?.length === 0 &&
  role(view) === 'primary' &&
  since(wish.at, view.now) < STANDBY_PATIENCE_MILLIS;

/**
 * Right after a promotion or a clone the standbys are a moment behind, and what they say of themselves
 * is up to a heartbeat old: that is waited for.
 */
function awaitStandby(view: View, wish: Wish, canvass: Canvass): Verdict | undefined {
  const facts = server(view);
  if (facts === undefined || since(wish.at, view.now) > STANDBY_PATIENCE_MILLIS) return undefined;
  const behind = canvass.opinions.filter(
    (opinion) =>
      (wish.candidate === undefined || opinion.name === wish.candidate) &&
      isBehind(opinion, facts, view.settings.policy.maximumLagOnFailoverBytes),
  );
  if (behind.length === 0) return undefined;
  const asked = since(canvass.askedAt, view.now) < STANDBY_POLL_MILLIS;
  return {
    why: `${wish.kind}: ${behind.map(({ name }) => name).join(', ')} is about to reach timeline ${facts.timeline} or the end of its log`,
    waitsFor: ['the candidate to follow the newest timeline and to catch up'],
    actions: asked ? [] : [{ kind: 'canvass' }],
    wakeAt: plus(view.now, STANDBY_POLL_MILLIS),
  };
}

function isBehind({ report }: PeerOpinion, leads: ServerFacts, lagLimitBytes: number): boolean {
  if (report?.role !== 'standby' || report.timeline === undefined) return false;
  if (report.timeline !== leads.timeline) return report.timeline < leads.timeline;
  const end = ownLsn(leads);
  if (end === undefined || report.lsn === undefined) return false;
  return lagBytes(end, report.lsn) > BigInt(lagLimitBytes);
}

/** The failover to this member itself that was asked for has been won. */
function isOwnSuccess(view: View, wish: Wish): boolean {
  const wonAt = view.held?.wonAt;
  if (wish.kind !== 'failover' || wish.candidate !== view.self || !holdsLease(view)) return false;
  return wonAt !== undefined && wonAt >= wish.at;
}

function begin(view: View, memory: Memory, wish: Wish, candidate: string): Verdict {
  const voters = syncVoters(view);
  const asynchronous = voters !== undefined && !voters.includes(candidate);
  return {
    why: asynchronous
      ? `${wish.kind} to ${candidate} begins, which is no synchronous standby: it leads only with the whole log`
      : `${wish.kind} to ${candidate} begins`,
    memory: {
      ...memory,
      handover: beginHandover({ commandId: wish.id, candidate, reason: wish.kind }, view.now),
    },
  };
}

const answerWith = (wish: Wish, answer: Answer): Verdict => ({
  why: 'message' in answer ? answer.message : 'answered',
  actions: [{ kind: 'answer', commandId: wish.id, answer }],
});

const isForced = (view: View, wish: Wish): boolean =>
  wish.kind === 'failover' && wish.candidate === view.self;

function refuse(view: View, wish: Wish): Answer | undefined {
  const cluster = record(view);
  if (cluster === undefined) return precondition('Consul has not been read yet; try again');
  // A store that was emptied has forgotten the cluster, and this host has not.
  const forgotten = isForced(view, wish) ? view.host.systemIdentifier : undefined;
  if ((clusterIdentifier(view) ?? forgotten) === undefined)
    return precondition('the cluster is not bootstrapped yet');
  if (wish.candidate !== undefined && findMember(cluster, wish.candidate) === undefined) {
    const names = cluster.members.map((member) => member.key.name).join(', ');
    // Patroni's 412: a member of that name may come.
    return precondition(`no member is called ${wish.candidate}; members: ${names}`);
  }
  return holdsLease(view)
    ? refuseAsLeader(view, wish, cluster.members.length)
    : refuseWithoutLease(view, wish);
}

function refuseAsLeader(view: View, wish: Wish, members: number): Answer | undefined {
  if (wish.candidate === view.self) {
    return { kind: 'refused', cause: 'invalid', message: `${view.self} is the leader already` };
  }
  if (members < 2) {
    return precondition('switchover is not possible: the cluster has no other member');
  }
  if (wish.candidate === undefined && isPaused(view)) {
    return precondition(needsCandidate(wish.kind));
  }
  if (view.held !== undefined && lacksConsul(view.held, view.now)) {
    return precondition('Consul does not acknowledge heartbeats right now; a switchover needs it');
  }
  return role(view) === 'primary'
    ? undefined
    : precondition(`Postgres of the leader is ${role(view)}, not a running primary`);
}

function refuseWithoutLease(view: View, wish: Wish): Answer | undefined {
  if (wish.kind === 'switchover') {
    const name = leader(view)?.name;
    return precondition(
      name === undefined
        ? 'the cluster has no leader; use failover'
        : `this member is not the leader, ${name} is`,
    );
  }
  return wish.candidate === view.self
    ? undefined
    : precondition(
        `this member is not the leader; ask ${wish.candidate ?? 'the candidate'} itself`,
      );
}

/** Without a leader the named candidate goes, once the old lease is over: rule 410 sees the command. */
function forcedTakeover(view: View, wish: Wish): Verdict | undefined {
  const holder = pausedHolder(view);
  if (holder !== undefined && wish.holderIsDown !== true && !isOwnLapsed(view)) {
    return answerWith(wish, precondition(pausedRefusal(view, holder)));
  }
  const current = leader(view);
  // The key of a lost leader says "primary" for as long as its session lives on.
  if (current?.serves !== true || leaseIsOver(view)) return undefined;
  if (view.now < plus(wish.at, 2 * view.settings.policy.timing.ttlMillis)) return undefined;
  return answerWith(
    wish,
    precondition(`${current.name} leads and renews its lease; ask it for a switchover`),
  );
}

const isOwnLapsed = (view: View): boolean => {
  const generation = valueOf(record(view)?.generation ?? ABSENT);
  return generation !== undefined && generation.id === view.lapsedId;
};

/** No time ends a paused lease: only a person can say that nobody writes under it any more. */
const pausedRefusal = (view: View, holder: string): string =>
  `the lease of ${holder} is paused, so ${holder} may accept writes for as long as its Postgres runs, whoever can see it; ` +
  `first make sure that Postgres of ${holder} is down, then say so: "pgbaton failover --candidate ${view.self} --force"`;

function noCandidate(
  wish: Wish,
  refused: readonly { readonly name: string; readonly why: string }[],
): Answer {
  const reasons = refused
    .filter((entry) => wish.candidate === undefined || entry.name === wish.candidate)
    .map((entry) => `${entry.name}: ${entry.why}`);
  const said = reasons.length === 0 ? 'no other member answered' : reasons.join('; ');
  return precondition(`no good candidates have been found (${said})`);
}
