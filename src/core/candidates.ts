import { leftFrom, promotedGeneration, strayPromotion, strayReceived } from './branch.ts';
import { valueOf } from './cluster.ts';
import type { ClusterRecord, Generation } from './cluster.ts';
import { LEAST_FREE_BYTES } from './disk.ts';
import { control, hasAmnesia, ownLsn, record, role, server } from './facts.ts';
import { formatLsn, LSN_ZERO } from './lsn.ts';
import type { Lsn } from './lsn.ts';
import type { ServerFacts } from './postgres.ts';
import { syncTerms, syncVoters } from './sync-terms.ts';
import type { PeerOpinion, View } from './view.ts';
import { watchdogFault } from './watchdog.ts';

/** Who may be promoted, ranked, with the reason for each: the whole of invariant I6. */

export type Eligibility =
  | {
      readonly kind: 'eligible';
      readonly timeline: number;
      readonly lsn: Lsn;
      readonly why: string;
    }
  | { readonly kind: 'ineligible'; readonly why: string };

const no = (why: string): Eligibility => ({ kind: 'ineligible', why });

/**
 * Whether this member's own data may become the cluster's. `forced`: an operator accepted the loss
 * of what others have; never excused is a history of another cluster or one that has diverged.
 */
export function ownEligibility(view: View, forced: boolean): Eligibility {
  const cluster = record(view);
  if (cluster === undefined) return no('Consul has not been read yet');
  const tags = view.settings.member.tags;
  if (!forced && (tags.nofailover || tags.failoverPriority <= 0)) return no('tagged nofailover');
  // Nor is a device that is required: the promotion would wait for it in vain.
  const unwatched = watchdogFault(view.settings.watchdog, view.watchdog);
  if (unwatched !== undefined) return no(unwatched);
  const facts = answeringStandby(view, forced);
  if ('why' in facts) return facts;
  const known = valueOf(cluster.initialize);
  if (known !== undefined && known !== '' && known !== facts.systemIdentifier) {
    return no(`system identifier ${facts.systemIdentifier} is not the cluster's ${known}`);
  }
  const lsn = ownLsn(facts);
  if (lsn === undefined) return no('its log position is unknown');
  const history = historyFault(view, cluster, facts.timeline, lsn);
  if (history !== undefined) return no(history);
  // Where the key `sync` says who has every commit, a lag is what nobody was told of.
  const bounded = !forced && syncTerms(view).kind === 'off';
  const lag = bounded ? lagFault(view, cluster, lsn) : undefined;
  if (lag !== undefined) return no(lag);
  return {
    kind: 'eligible',
    timeline: facts.timeline,
    lsn,
    why: `timeline ${facts.timeline}, ${formatLsn(lsn)}`,
  };
}

/** What it said last may be long ago: a promotion would wait for it while the cluster has nobody. */
function answeringStandby(view: View, forced: boolean): ServerFacts | Eligibility {
  const facts = server(view);
  const serverRole = role(view);
  if (facts === undefined || serverRole !== 'standby')
    return no(`Postgres is ${serverRole}, not a running standby`);
  if (view.silence !== undefined)
    return no(`Postgres has not answered ${view.silence.probes} probes in a row`);
  const { disk } = view;
  const isFull = disk !== undefined && disk.freeBytes < 2 * LEAST_FREE_BYTES;
  return isFull && !forced ? no(`its disk is full (${disk.freeBytes} bytes are free)`) : facts;
}

function historyFault(
  view: View,
  cluster: ClusterRecord,
  timeline: number,
  lsn: Lsn,
): string | undefined {
  const generation = valueOf(cluster.generation);
  const promoted = promotedGeneration(generation);
  if (generation === undefined || promoted === undefined) return undefined;
  if (timeline < promoted.timeline) return olderTimeline(view, generation, timeline, lsn);
  if (timeline === promoted.timeline && lsn < promoted.switchLsn) {
    return `its log ends at ${formatLsn(lsn)}, before timeline ${timeline} began`;
  }
  // A record that is older than what this host has seen is no authority on what came after it.
  if (hasAmnesia(view)) return undefined;
  const foreign =
    strayPromotion(view.host, generation, timeline) ??
    strayReceived(view.host, generation, timeline);
  return foreign === undefined
    ? undefined
    : `timeline ${timeline} is that of generation ${foreign}, which the cluster does not know`;
}

/**
 * A log that ends before the newest timelines began is behind like any other: how far, is judged by
 * its lag. One that went on after them has taken another way.
 */
function olderTimeline(
  view: View,
  generation: Generation,
  timeline: number,
  lsn: Lsn,
): string | undefined {
  const left = leftFrom(view.host, generation, timeline);
  if (left === undefined) return `timeline ${timeline} lacks the switch to the present one`;
  return lsn <= left
    ? undefined
    : `its log on timeline ${timeline} ends at ${formatLsn(lsn)}, past ${formatLsn(left)} where the cluster's went on to the next`;
}

function lagFault(view: View, cluster: ClusterRecord, lsn: Lsn): string | undefined {
  const optime = valueOf(cluster.status)?.optime;
  if (optime === undefined || optime <= lsn) return undefined;
  const lag = optime - lsn;
  const limit = view.settings.policy.maximumLagOnFailoverBytes;
  return lag > BigInt(limit)
    ? `lags ${lag} bytes, more than maximum_lag_on_failover ${limit}`
    : undefined;
}

interface Position {
  readonly timeline: number;
  readonly lsn: Lsn;
  readonly priority: number;
}

/** Positive: `a` goes first. Histories are compared before positions, positions before priorities. */
export function compareCandidates(a: Position, b: Position): number {
  if (a.timeline !== b.timeline) return a.timeline - b.timeline;
  return compareLsn(a.lsn, b.lsn) || a.priority - b.priority;
}

const compareLsn = (a: Lsn, b: Lsn): number => (a === b ? 0 : a > b ? 1 : -1);

/** The best of those that should go first instead of this member; only one that says it can. */
export function betterPeer(
  own: Position,
  opinions: readonly PeerOpinion[],
): PeerOpinion | undefined {
  let best: { readonly opinion: PeerOpinion; readonly of: Position } | undefined;
  for (const opinion of opinions) {
    const of = positionOf(opinion);
    if (of !== undefined && compareCandidates(of, best?.of ?? own) > 0) best = { opinion, of };
  }
  return best?.opinion;
}

function positionOf({ report }: PeerOpinion): Position | undefined {
  if (report?.canTakeOver.able !== true) return undefined;
  const { lsn, timeline, failoverPriority } = report;
  if (lsn === undefined || timeline === undefined) return undefined;
  return { timeline, lsn, priority: failoverPriority };
}

/**
 * The candidate that key `failover` names while nobody leads. The request orders those who have the
 * same log; it takes nobody's log for less than it is.
 */
export function requestedPeer(
  cluster: ClusterRecord | undefined,
  own: { readonly timeline: number; readonly lsn: Lsn },
  opinions: readonly PeerOpinion[],
): PeerOpinion | undefined {
  const request = cluster === undefined ? undefined : valueOf(cluster.failover);
  if (request?.candidate === undefined || request.scheduledAt !== undefined) return undefined;
  return opinions.find((opinion) => {
    const of = opinion.name === request.candidate ? positionOf(opinion) : undefined;
    return (
      of !== undefined && compareCandidates({ ...of, priority: 0 }, { ...own, priority: 0 }) >= 0
    );
  });
}

/**
 * With the vote of a synchronous standby another member may lead without loss, too. But who is listed is
 * whom the tags chose, and the only one whom Patroni would promote: undefined when this member is one.
 */
export function listedPeer(
  self: string,
  voters: readonly string[],
  own: { readonly timeline: number; readonly lsn: Lsn },
  opinions: readonly PeerOpinion[],
): PeerOpinion | undefined {
  if (voters.includes(self)) return undefined;
  return opinions.find(({ name, report }) => {
    if (!voters.includes(name) || report?.canTakeOver.able !== true) return false;
    return report.timeline === own.timeline && report.lsn !== undefined && report.lsn >= own.lsn;
  });
}

/** Candidates for a planned hand-over, best first, and why the others are not. */
export function rankPeers(
  view: View,
  opinions: readonly PeerOpinion[],
): {
  readonly eligible: readonly PeerOpinion[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
} {
  const facts = server(view);
  const timeline = facts?.timeline ?? control(view)?.timeline ?? 0;
  const reference = facts === undefined ? control(view)?.checkpointLsn : ownLsn(facts);
  const refused: { name: string; why: string }[] = [];
  const eligible: PeerOpinion[] = [];
  for (const opinion of opinions) {
    const why = handoverFault(view, opinion, timeline, reference);
    if (why === undefined) eligible.push(opinion);
    else refused.push({ name: opinion.name, why });
  }
  const priorityOf = (opinion: PeerOpinion): number => opinion.report?.failoverPriority ?? 0;
  const lsnOf = (opinion: PeerOpinion): Lsn => opinion.report?.lsn ?? LSN_ZERO;
  const voters = syncVoters(view) ?? [];
  const votes = ({ name }: PeerOpinion): number => Number(voters.includes(name));
  eligible.sort(
    (a, b) =>
      votes(b) - votes(a) || priorityOf(b) - priorityOf(a) || compareLsn(lsnOf(b), lsnOf(a)),
  );
  return { eligible, refused };
}

function handoverFault(
  view: View,
  opinion: PeerOpinion,
  timeline: number,
  reference: Lsn | undefined,
): string | undefined {
  const report = opinion.report;
  if (report === undefined) return 'does not answer';
  if (report.role !== 'standby') return `its Postgres is ${report.role}, not a running standby`;
  if (report.timeline !== timeline)
    return `is on timeline ${report.timeline ?? 'unknown'}, not ${timeline}`;
  if (!report.canTakeOver.able) return report.canTakeOver.why;
  if (report.lsn === undefined) return 'its log position is unknown';
  if (reference === undefined || reference <= report.lsn) return undefined;
  const lag = reference - report.lsn;
  const limit = view.settings.policy.maximumLagOnFailoverBytes;
  return lag > BigInt(limit)
    ? `lags ${lag} bytes, more than maximum_lag_on_failover ${limit}`
    : undefined;
}
