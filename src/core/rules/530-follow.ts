import { strayPromotion, strayReceived } from '../branch.ts';
import type { Rule, Verdict } from '../decision.ts';
import {
  clusterIdentifier,
  describeTarget,
  leaderToFollow,
  leaseEndsAt,
  ownLsn,
  role,
  server,
  targetOf,
  upstreamOf,
} from '../facts.ts';
import type { Leader, LeaderToFollow } from '../facts.ts';
import { formatLsn } from '../lsn.ts';
import type { Memory } from '../memory.ts';
import { plus, since } from '../time.ts';
import type { Instant } from '../time.ts';
import type { ServerFacts, Upstream } from '../postgres.ts';
import { strayFrom } from '../rejoin.ts';
import type { View } from '../view.ts';

/** A standby that does not stream although a leader serves is looked into after this. */
const NOT_STREAMING_PATIENCE_MILLIS = 5000;

const CONNINFO_HOST = /(?:^|\s)host\s*=\s*'?([^'\s]*)'?/;
const CONNINFO_PORT = /(?:^|\s)port\s*=\s*'?([^'\s]*)'?/;

/** A running standby gets the right upstream, and is stopped when its history is not the leader's. */
export const follow: Rule = {
  number: 530,
  name: 'follow',
  when: 'the own Postgres is a standby and another member serves as leader',
  evaluate(view, memory) {
    const current = leaderToFollow(view);
    if (current === undefined) return undefined;
    if (role(view) === 'unanswered') return whileSilent(view, memory, current);
    const verdict = whileFollowing(view, memory, current);
    return verdict === undefined ? undefined : { ...verdict, wakeAt: nextLook(view, verdict) };
  },
};

/** The election begins at the very moment at which the lease is over, should no heartbeat come before. */
function nextLook(view: View, { wakeAt }: Verdict): Instant | undefined {
  const end = leaseEndsAt(view);
  return end === undefined || (wakeAt !== undefined && wakeAt < end) ? wakeAt : end;
}

function whileFollowing(view: View, memory: Memory, current: LeaderToFollow): Verdict | undefined {
  const facts = server(view);
  if (role(view) !== 'standby' || facts === undefined) return undefined;
  const diverged = divergence(view, current, facts);
  if (diverged !== undefined) return { why: diverged, actions: [{ kind: 'stop', mode: 'fast' }] };
  const upstream = upstreamOf(current.member);
  const target = targetOf(view, upstream);
  const described = describeTarget(target);
  if (memory.upstream !== described || pointsElsewhere(facts, upstream)) {
    if (!isSeenSince(view)) {
      const why = `looks where its own log ends before it follows ${current.name}`;
      return { why, actions: [{ kind: 'probe' }], wakeAt: view.now };
    }
    return {
      why: `follows ${current.name}`,
      actions: [{ kind: 'follow', target }],
      memory: { ...memory, upstream: described, notStreamingSince: undefined },
    };
  }
  if (facts.receiverState === 'streaming') return streaming(view, memory, current, facts);
  return notStreaming(view, memory, current);
}

/**
 * Until the leader before was gone, this log went on, perhaps onto a timeline of its own: what was
 * said of it before the new leader was recorded is not the end.
 */
const isSeenSince = ({ probe, cluster }: View): boolean =>
  probe !== undefined && cluster !== undefined && probe.askedAt >= cluster.receivedAt;

/** It may be waiting for the very log that only another upstream has: it is pointed there unasked. */
function whileSilent(view: View, memory: Memory, current: LeaderToFollow): Verdict | undefined {
  const upstream = upstreamOf(current.member);
  const target = targetOf(view, upstream);
  const described = describeTarget(target);
  if (upstream === undefined || memory.upstream === described) return undefined;
  const stray = strayBefore(view, current);
  if (stray !== undefined) return { why: stray, actions: [{ kind: 'stop', mode: 'fast' }] };
  return {
    why: `Postgres does not answer yet; it is pointed at ${current.name}`,
    actions: [{ kind: 'follow', target }],
    memory: { ...memory, upstream: described },
  };
}

/** What is known of its log before it answers: where it followed last, or was promoted. */
function strayBefore({ host }: View, { name, generation }: Leader): string | undefined {
  const timelines = [...host.promotions, host.followed].flatMap((known) =>
    known === undefined ? [] : [known.timeline],
  );
  const newest = Math.max(...timelines);
  const stray = strayPromotion(host, generation, newest) ?? strayReceived(host, generation, newest);
  return stray === undefined
    ? undefined
    : `its timeline ${newest} is of generation ${stray}, which the cluster of ${name} does not know: stops to rejoin`;
}

/**
 * What the server itself says counts more than what it was once told: it may have been started anew
 * since. A setting that cannot be read says nothing.
 */
function pointsElsewhere(facts: ServerFacts, upstream: Upstream | undefined): boolean {
  if (facts.primaryConninfo === undefined || upstream === undefined) return false;
  if (facts.primaryConninfo === '') return true;
  const host = CONNINFO_HOST.exec(facts.primaryConninfo)?.[1];
  const port = CONNINFO_PORT.exec(facts.primaryConninfo)?.[1];
  return (
    host !== undefined &&
    port !== undefined &&
    (host !== upstream.host || port !== String(upstream.port))
  );
}

/** Evidence that this log went on after the leader's history left it. */
function divergence(view: View, current: Leader, facts: ServerFacts): string | undefined {
  const { timeline, switchLsn } = current.generation;
  const stray = strayPromotion(view.host, current.generation, facts.timeline);
  if (stray !== undefined) {
    return `its timeline ${facts.timeline} was promoted here under generation ${stray}, which the cluster of ${current.name} does not know: stops to rejoin`;
  }
  const received = strayReceived(view.host, current.generation, facts.timeline);
  if (received !== undefined) {
    return `its timeline ${facts.timeline} was received under generation ${received}, which the cluster of ${current.name} does not know: stops to rejoin`;
  }
  const own = ownLsn(facts);
  if (own === undefined || facts.timeline >= timeline || own <= switchLsn) return undefined;
  return `its log on timeline ${facts.timeline} ends at ${formatLsn(own)}, past ${formatLsn(switchLsn)} where timeline ${timeline} of ${current.name} begins: stops to rejoin`;
}

function streaming(view: View, memory: Memory, current: Leader, facts: ServerFacts): Verdict {
  const followed = view.host.followed;
  // Whose data these are is remembered, too: a store that lost the cluster does not tell.
  const noted =
    followed?.id === current.generation.id &&
    followed.timeline === facts.timeline &&
    (clusterIdentifier(view) !== facts.systemIdentifier ||
      view.host.systemIdentifier === facts.systemIdentifier);
  const caughtUp = facts.timeline === current.generation.timeline;
  return {
    why: `follows ${current.name} on timeline ${facts.timeline}`,
    actions:
      noted || !caughtUp
        ? []
        : [
            {
              kind: 'note-followed',
              generationId: current.generation.id,
              timeline: facts.timeline,
              from: current.name,
            },
          ],
    memory:
      memory.notStreamingSince === undefined ? memory : { ...memory, notStreamingSince: undefined },
  };
}

function notStreaming(view: View, memory: Memory, current: LeaderToFollow): Verdict {
  const begun = memory.notStreamingSince ?? view.now;
  const remembered =
    memory.notStreamingSince === undefined ? { ...memory, notStreamingSince: begun } : memory;
  const until = plus(begun, NOT_STREAMING_PATIENCE_MILLIS);
  if (view.now < until) {
    return {
      why: `does not stream from ${current.name} yet`,
      waitsFor: [`a replication connection to ${current.name}`],
      memory: remembered,
      wakeAt: until,
    };
  }
  const diagnosis = view.diagnosis;
  const source = upstreamOf(current.member);
  if (source === undefined)
    return { why: `the address of ${current.name} is not known`, memory: remembered };
  if (
    diagnosis === undefined ||
    diagnosis.at < begun ||
    since(diagnosis.at, view.now) > 2 * NOT_STREAMING_PATIENCE_MILLIS
  ) {
    return {
      why: `has not streamed from ${current.name} for a while and looks why`,
      actions: [{ kind: 'diagnose', source, generationId: current.generation.id }],
      memory: remembered,
    };
  }
  const stray = strayFrom(diagnosis);
  if (stray !== undefined)
    return {
      why: `${stray}: stops to rejoin`,
      actions: [{ kind: 'stop', mode: 'fast' }],
      memory: remembered,
    };
  const hopeless = diagnosis.walAvailable === 'no';
  if (hopeless) {
    const why = `${current.name} no longer has the log that this member needs`;
    return {
      why,
      memory: {
        ...remembered,
        notStreamingSince: undefined,
        reclone: { since: view.now, why, fromLeader: true },
      },
      wakeAt: view.now,
    };
  }
  return {
    why: `does not stream from ${current.name}`,
    waitsFor: [diagnosis.why ?? 'a replication connection; see the log of Postgres'],
    memory: remembered,
    wakeAt: plus(view.now, NOT_STREAMING_PATIENCE_MILLIS),
  };
}
