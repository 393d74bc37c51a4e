import { valueOf } from '../cluster.ts';
import type { ClusterRecord, Release } from '../cluster.ts';
import type { Rule, Verdict } from '../decision.ts';
import { clusterIdentifier, hasAmnesia, holdsLease, leaseIsOver, record, role } from '../facts.ts';
import { isBound } from '../promise.ts';
import { objectionOf } from '../objections.ts';
import { isFresh } from '../takeover.ts';
import { waitMillis } from '../lease.ts';
import type { Memory } from '../memory.ts';
import { leaseOverAt } from '../observation.ts';
import type { Observation } from '../observation.ts';
import { pausedHolder, waysOut } from '../pause.ts';
import { plus } from '../time.ts';
import type { Instant } from '../time.ts';
import type { View } from '../view.ts';
import { watchdogFault } from '../watchdog.ts';

/** P11: emptiness is observed like a lease, and a bootstrapper that dies is superseded like any leader. */
export const bootstrap: Rule = {
  number: 420,
  name: 'bootstrap',
  when: 'no cluster is recorded, this member has no data, and its configuration may found one',
  evaluate(view, memory) {
    const cluster = record(view);
    const observation = view.observation;
    if (holdsLease(view) || role(view) !== 'down') return undefined;
    if (cluster === undefined || observation === undefined) return undefined;
    if (!hasNoData(view) || clusterIdentifier(view) !== undefined) return undefined;
    return (
      hindrance(view, cluster) ??
      waiting(view, memory, cluster, observation) ??
      asking(view, cluster, observation) ??
      found(view, cluster)
    );
  },
};

function hasNoData(view: View): boolean {
  const directory = view.directory?.value;
  return (
    directory?.kind === 'absent' ||
    (directory?.kind === 'unfinished' && directory.work === 'initialise')
  );
}

function hindrance(view: View, cluster: ClusterRecord): Verdict | undefined {
  const others = ['another member to found the cluster'];
  if (view.settings.bootstrap === undefined) {
    return {
      why: 'no cluster is recorded and this configuration has no bootstrap section',
      waitsFor: others,
    };
  }
  if (view.settings.member.tags.nofailover) {
    return { why: 'no cluster is recorded and this member is tagged nofailover', waitsFor: others };
  }
  const unwatched = watchdogFault(view.settings.watchdog, view.watchdog);
  if (unwatched !== undefined) {
    return {
      why: `no cluster is recorded, and this member may not lead: ${unwatched}`,
      waitsFor: others,
    };
  }
  const former = view.host.systemIdentifier;
  if (former !== undefined) {
    return {
      why: `this host belonged to a cluster (system ${former}) that Consul does not know: its record was lost, or the keys were removed`,
      waitsFor: [
        'the members that have its data; to found a new cluster on purpose, remove the state directory beside the data directory of every member',
      ],
    };
  }
  const paused = pausedHolder(view);
  if (paused !== undefined) {
    return { why: `the lease of ${paused} is paused`, waitsFor: [waysOut(paused)] };
  }
  const key = valueOf(cluster.leader);
  if (key !== undefined && key.member !== valueOf(cluster.generation)?.holder) {
    return {
      why: `key leader names ${key.member}`,
      waitsFor: ['that member to initialise the cluster'],
    };
  }
  return undefined;
}

function waiting(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  observation: Observation,
): Verdict | undefined {
  const unsettled = unsettledAttempt(view, memory, cluster);
  if (unsettled !== undefined) return unsettled;
  const patienceMillis = waitMillis(view.settings.policy.timing.ttlMillis);
  const released = releaseOf(view, cluster);
  // Members that have the data of a store that was wiped go first: they need one lease less.
  const until = plus(
    leaseOverAt(observation, cluster, hasAmnesia(view)),
    wasKnown(view, cluster) ? patienceMillis : 0,
  );
  const excluded = released?.exclude.includes(view.self) === true;
  const free: Instant = excluded ? plus(until, patienceMillis) : until;
  if (released !== undefined && !excluded) return undefined;
  if (leaseIsOver(view) && view.now >= free) return undefined;
  return {
    why: excluded
      ? 'failed to found the cluster and lets others try first'
      : 'no cluster is recorded; watches for a lease before it founds one',
    waitsFor: ['a moment without any leader'],
    wakeAt: free,
  };
}

function unsettledAttempt(view: View, memory: Memory, cluster: ClusterRecord): Verdict | undefined {
  if (isBound(view.promised, cluster, view.now)) {
    return {
      why: 'promised a leader to hold back while Consul does not answer it',
      waitsFor: ['the end of the promise'],
      wakeAt: view.promised?.until,
    };
  }
  const abstaining = memory.abstain !== undefined && view.now < memory.abstain.until;
  if (view.takeover === undefined && !abstaining) return undefined;
  return {
    why: 'an own attempt to found the cluster is not settled',
    waitsFor: ['its outcome'],
    wakeAt: memory.abstain?.until,
  };
}

/** A store that has lost the newest generation shows a release of the past: another may lead since. */
const releaseOf = (view: View, cluster: ClusterRecord): Release | undefined =>
  hasAmnesia(view) ? undefined : valueOf(cluster.lease)?.released;

/** Somebody has data, or this host has seen a generation: the emptiness may be a loss. */
const wasKnown = (view: View, cluster: ClusterRecord): boolean =>
  view.host.floor.n > 0 ||
  cluster.members.some(
    (member) => member.key.name !== view.self && member.key.timeline !== undefined,
  );

/** Nobody who answers may know of a leader, of a newer generation, or of a cluster that has data. */
function asking(view: View, cluster: ClusterRecord, observation: Observation): Verdict | undefined {
  const canvass = view.canvass;
  const freeSince = leaseOverAt(observation, cluster, hasAmnesia(view));
  const released = releaseOf(view, cluster) !== undefined;
  if (canvass === undefined || !isFresh(view, canvass, released ? observation.seenAt : freeSince)) {
    return {
      why: 'asks the other members before it founds a cluster',
      actions: [{ kind: 'canvass' }],
    };
  }
  if (canvass.finishedAt === undefined) {
    return {
      why: 'asks the other members before it founds a cluster',
      wakeAt: plus(view.now, 100),
    };
  }
  const objection = objectionOf(view, canvass, cluster, nextGeneration(view, cluster));
  if (objection?.kind === 'floor') {
    return {
      why: objection.why,
      actions: [{ kind: 'raise-floor', n: objection.n, id: objection.id }],
    };
  }
  if (objection?.kind === 'stale') {
    return { why: objection.why, actions: [{ kind: 'restart-observation', beat: objection.beat }] };
  }
  const silent = canvass.opinions.find((opinion) => opinion.report === undefined);
  if (hasAmnesia(view) && silent !== undefined) {
    return {
      why: `Consul lost a generation that this host has seen, and ${silent.name} does not answer: it may have the data`,
      waitsFor: [
        `${silent.name} to answer; if it is gone for good, remove the state directory beside the data directory here`,
      ],
      wakeAt: plus(view.now, 1000),
    };
  }
  const owner = canvass.opinions.find((opinion) => opinion.report?.systemIdentifier !== undefined);
  const why =
    objection?.why ?? (owner === undefined ? undefined : `${owner.name} has the data of a cluster`);
  if (why === undefined) return undefined;
  return { why, waitsFor: ['that member to take the lead'], wakeAt: plus(view.now, 1000) };
}

function found(view: View, cluster: ClusterRecord): Verdict {
  const n = nextGeneration(view, cluster);
  return {
    why: 'no cluster is recorded: founds one',
    actions: [{ kind: 'takeover', n, basis: 'bootstrap' }],
  };
}

const nextGeneration = (view: View, cluster: ClusterRecord): number =>
  Math.max(valueOf(cluster.generation)?.n ?? 0, view.host.floor.n) + 1;
