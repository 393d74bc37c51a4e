import { promotedGeneration } from './branch.ts';
import { valueOf } from './cluster.ts';
import type { ClusterRecord, SyncKey } from './cluster.ts';
import { hasAmnesia, ownLsn, record, server } from './facts.ts';
import { DRIFT } from './lease.ts';
import type { Lsn } from './lsn.ts';
import { electorateAfter, NO_VOTERS, votesMissing } from './quorum.ts';
import type { Electorate } from './quorum.ts';
import type { Instant } from './time.ts';
import type { Canvass, PeerOpinion, View } from './view.ts';

/**
 * Who may lead without the loss of a commit that was acknowledged in `synchronous_mode` (I5). What is
 * in force is what the key `sync` says, whatever the configuration asks for.
 */
export type SyncTerms =
  | { readonly kind: 'off' }
  | {
      readonly kind: 'in-force';
      /** Has every commit that it acknowledged; undefined: not known who it is. */
      readonly leader: string | undefined;
      readonly electorate: Electorate;
      readonly version: number;
      /**
       * From the memory of this host, because Consul has lost the key. The leader may have changed it
       * since: only when all whom it names have answered, nobody is left who could be ahead.
       */
      readonly remembered: boolean;
    }
  /** It may be in force, and nobody here knows for whom. */
  | { readonly kind: 'unknown'; readonly why: string };

const OFF: SyncTerms = { kind: 'off' };

export function syncTerms(view: View): SyncTerms {
  const cluster = record(view);
  if (cluster === undefined) return { kind: 'unknown', why: 'Consul has not been read yet' };
  if (hasAmnesia(view)) return rememberedTerms(view, cluster);
  const newer = newerThanShown(view, cluster);
  if (newer !== undefined) return { ...newer, electorate: NO_VOTERS };
  const slot = cluster.sync;
  switch (slot.kind) {
    case 'absent':
      return OFF;
    case 'garbled': {
      const leader = valueOf(cluster.generation)?.holder;
      // Never 0, which would be Patroni's.
      const version = Math.max(1, view.host.sync?.key.version ?? 0);
      return { kind: 'in-force', leader, electorate: NO_VOTERS, version, remembered: false };
    }
    case 'present':
      return termsOf(slot.value, false);
  }
}

function termsOf(key: SyncKey, remembered: boolean): SyncTerms {
  if (key.leader === undefined) return OFF;
  return {
    kind: 'in-force',
    leader: key.leader,
    electorate: { voters: key.standbys.filter((name) => name !== key.leader), quorum: key.quorum },
    version: key.version,
    remembered,
  };
}

/**
 * This host has seen a newer key under the very generation that Consul shows: that one is of the past,
 * and there may have been a yet newer one. Until its leader has written it again, only it may lead.
 */
function newerThanShown(view: View, { generation, sync }: ClusterRecord): InForce | undefined {
  const remembered = view.host.sync;
  const n = valueOf(generation)?.n ?? 0;
  // A member of Patroni's that led after pgbaton writes keys without a version, and removes them.
  if (remembered?.n !== n || view.observation?.overtaken === true) return undefined;
  const version = valueOf(sync)?.version ?? 0;
  const isOlder = sync.kind === 'present' && version > 0 && version < remembered.key.version;
  if (!isOlder && sync.kind !== 'absent') return undefined;
  const terms = termsOf(remembered.key, false);
  return terms.kind === 'in-force' ? terms : undefined;
}

function rememberedTerms(view: View, cluster: ClusterRecord): SyncTerms {
  const { sync, floor } = view.host;
  const asked = view.settings.policy.synchronous.mode !== 'off';
  if (sync !== undefined && sync.n >= floor.n) {
    const terms = termsOf(sync.key, true);
    if (terms.kind === 'in-force' || !asked) return terms;
  }
  const shown = cluster.sync.kind === 'garbled' || valueOf(cluster.sync)?.leader !== undefined;
  if (!asked && !shown && sync === undefined) return OFF;
  return {
    kind: 'unknown',
    why: 'Consul has lost who has the synchronous commits of the newest generation, and this host does not know',
  };
}

/** The entry in key `sync` that a takeover by this member brings along; undefined: the key stays as it is. */
export function syncAfterTakeover(view: View): SyncKey | undefined {
  const terms = syncTerms(view);
  const cluster = record(view);
  if (cluster === undefined) return undefined;
  const { sync } = cluster;
  // A key of the past may name a leader though the mode was turned off since: it is not left standing.
  const named = sync.kind === 'garbled' || valueOf(sync)?.leader !== undefined;
  if (terms.kind === 'off' && !named) return undefined;
  const shown = valueOf(sync)?.version ?? 0;
  const known = Math.max(shown, view.host.sync?.key.version ?? 0);
  const after =
    terms.kind === 'in-force' && terms.leader !== undefined
      ? electorateAfter(terms.electorate, terms.leader, view.self)
      : NO_VOTERS;
  return {
    leader: view.self,
    standbys: after.voters.filter((name) => name !== view.self),
    quorum: after.quorum,
    version: known + 1,
  };
}

/** Who has every acknowledged commit besides the leader, or enough of them together; undefined: off. */
export function syncVoters(view: View): readonly string[] | undefined {
  const terms = syncTerms(view);
  return terms.kind === 'in-force' ? terms.electorate.voters : undefined;
}

type InForce = Extract<SyncTerms, { kind: 'in-force' }>;

/** What a takeover of this member still needs, as far as acknowledged commits go. */
export type SyncStanding =
  /** It certainly has them all. */
  | { readonly kind: 'complete' }
  /** Voters have to answer that they have no more than it has. */
  | { readonly kind: 'needs-votes'; readonly terms: InForce }
  | { readonly kind: 'barred'; readonly why: string };

const COMPLETE: SyncStanding = { kind: 'complete' };

export function syncStanding(view: View): SyncStanding {
  const terms = syncTerms(view);
  switch (terms.kind) {
    case 'off':
      return COMPLETE;
    case 'unknown':
      return { kind: 'barred', why: `${terms.why}; ${acceptTheLoss(view)}` };
    case 'in-force':
      return standingUnder(view, terms);
  }
}

const former = ({ self }: View, { leader }: InForce): string =>
  leader === self ? `the data that ${leader} had` : (leader ?? 'the former leader');

const acceptTheLoss = (view: View): string =>
  `"pgbaton failover --candidate ${view.self} --force" accepts the loss of what others may have`;

function standingUnder(view: View, terms: InForce): SyncStanding {
  const { voters } = terms.electorate;
  const isLeader = terms.leader === view.self && hasLed(view, terms);
  if (isLeader && (!terms.remembered || voters.length === 0)) return COMPLETE;
  if (!terms.remembered && hasReleasedLog(view)) return COMPLETE;
  if (voters.length === 0) {
    return {
      kind: 'barred',
      why: `no standby has all synchronous commits: only ${former(view, terms)} may lead again by itself; ${acceptTheLoss(view)}`,
    };
  }
  return { kind: 'needs-votes', terms };
}

/**
 * By these very data, not by another machine of that name, or from a backup. A key of Patroni's says
 * nothing of the sort.
 */
function hasLed(view: View, terms: InForce): boolean {
  if (!terms.remembered && terms.version === 0) return true;
  const { floor, promotions, led } = view.host;
  const generation = record(view)?.generation;
  const id = terms.remembered || generation === undefined ? floor.id : valueOf(generation)?.id;
  // Who has not promoted under the newest generation has the data that it had under the one before.
  const last = terms.remembered ? undefined : promotedGeneration(generation && valueOf(generation));
  const known = [...(led ?? []), ...promotions.map((promotion) => promotion.id)];
  return known.some((one) => one === id || one === last?.id);
}

/**
 * The former leader gave the lease away once its Postgres was proved down, and this member has its
 * log to the end: on the very timeline that it was promoted to, for positions of two do not compare.
 */
function hasReleasedLog(view: View): boolean {
  const cluster = record(view);
  const facts = server(view);
  if (cluster === undefined || facts === undefined || hasAmnesia(view)) return false;
  if (view.observation?.overtaken === true) return false;
  const lease = valueOf(cluster.lease);
  const generation = valueOf(cluster.generation);
  const end = lease?.released?.lsn;
  const lsn = ownLsn(facts);
  if (end === undefined || lsn === undefined || generation === undefined) return false;
  return lease?.id === generation.id && facts.timeline === generation.timeline && lsn >= end;
}

/** A member that answered has seen a newer key than the one that this host goes by. */
function knowsBetter(view: View, { report }: PeerOpinion): boolean {
  const theirs = report?.syncSeen;
  const own = view.host.sync;
  if (theirs === undefined || own === undefined) return false;
  return theirs.n > own.n || (theirs.n === own.n && theirs.version > own.key.version);
}

export interface Position {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** How many votes are missing, and who could still give one. */
export interface Count {
  readonly missing: number;
  readonly of: readonly string[];
  /** Answered, but with a position that the former leader may have outrun since. */
  readonly early: readonly string[];
}

/** Whoever needs votes is not the leader that needs none, even with its name. */
const NO_LEADER = '';

/** `freeSince`: when the lease was over, so that nothing is acknowledged any more. */
export function countVotes(
  view: View,
  terms: InForce,
  canvass: Canvass,
  own: Position,
  freeSince: Instant,
): Count {
  const { electorate } = terms;
  const answered = canvass.opinions.filter(
    ({ name, report }) => electorate.voters.includes(name) && report?.role === 'standby',
  );
  const isFinal = (opinion: PeerOpinion): boolean => isAsOf(opinion, canvass, freeSince);
  const votes = answered
    .filter((one) => isFinal(one) && !isAhead(one, own))
    .map(({ name }) => name);
  const lacking = electorate.voters.filter((name) => name !== view.self && !votes.includes(name));
  const outdated = terms.remembered && canvass.opinions.some((one) => knowsBetter(view, one));
  const missing = terms.remembered
    ? lacking.length + (outdated ? 1 : 0)
    : votesMissing(electorate, NO_LEADER, { candidate: view.self, votes });
  const early = answered
    .filter((one) => one.report?.lsnAgeMillis !== undefined && !isFinal(one))
    .map(({ name }) => name);
  return { missing, of: lacking, early };
}

/** The position was asked for when the lease was over already, by any clock. */
function isAsOf({ report }: PeerOpinion, canvass: Canvass, freeSince: Instant): boolean {
  if (report?.lsnAgeMillis === undefined) return false;
  return canvass.askedAt - report.lsnAgeMillis * DRIFT >= freeSince;
}

function isAhead({ report }: PeerOpinion, own: Position): boolean {
  if (report?.timeline === undefined || report.lsn === undefined) return true;
  if (report.timeline !== own.timeline) return report.timeline > own.timeline;
  return report.lsn > own.lsn;
}
