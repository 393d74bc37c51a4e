import { valueOf } from '../cluster.ts';
import type { ClusterRecord } from '../cluster.ts';
import type { Rule, Verdict } from '../decision.ts';
import { clusterIdentifier, holdsLease, leaseIsOver, record, role } from '../facts.ts';
import { waitMillis } from '../lease.ts';
import type { Memory } from '../memory.ts';
import { leaseOverAt } from '../observation.ts';
import type { Observation } from '../observation.ts';
import { plus } from '../time.ts';
import type { Instant } from '../time.ts';
import type { View } from '../view.ts';

/** P11 and M8: emptiness is observed like a lease, and a bootstrapper that dies is superseded like any leader. */
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
  const patienceMillis = waitMillis(view.settings.policy.timing.ttlMillis);
  const abstaining = memory.abstain !== undefined && view.now < memory.abstain.until;
  if (view.takeover !== undefined || abstaining) {
    return {
      why: 'an own attempt to found the cluster is not settled',
      waitsFor: ['its outcome'],
      wakeAt: memory.abstain?.until,
    };
  }
  const released = valueOf(cluster.lease)?.released;
  // Members that have the data of a store that was wiped go first: they need one lease less.
  const until = plus(
    leaseOverAt(observation, cluster),
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

/** Somebody has data, or this host has seen a generation: the emptiness may be a loss. */
const wasKnown = (view: View, cluster: ClusterRecord): boolean =>
  view.host.floor.n > 0 ||
  cluster.members.some(
    (member) => member.key.name !== view.self && member.key.timeline !== undefined,
  );

function found(view: View, cluster: ClusterRecord): Verdict {
  const n = Math.max(valueOf(cluster.generation)?.n ?? 0, view.host.floor.n) + 1;
  return {
    why: 'no cluster is recorded: founds one',
    actions: [{ kind: 'takeover', n, basis: 'bootstrap' }],
  };
}
