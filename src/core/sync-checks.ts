import type { Action } from './action.ts';
import { promotedGeneration } from './branch.ts';
import { valueOf } from './cluster.ts';
import type { ClusterRecord, SyncKey } from './cluster.ts';
import type { Decision } from './decision.ts';
import { hasAmnesia, holdsLease, ownLsn, record, server } from './facts.ts';
import { ALONE, overlaps, ruleOf } from './quorum.ts';
import { NO_SYNC_NAMES, parseSyncNames } from './sync-names.ts';
import type { View } from './view.ts';

/** I5, checked on decisions: what was seen is judged anew, whatever the rules made of it. */

type Kind = Action['kind'];

const find = <K extends Kind>(
  decision: Decision,
  kind: K,
): Extract<Action, { kind: K }> | undefined =>
  decision.actions.find((action): action is Extract<Action, { kind: K }> => action.kind === kind);

/** A takeover that no operator has forced is by a member that has every acknowledged commit. */
export function takeoverKeepsCommits(view: View, decision: Decision): string | undefined {
  const takeover = find(decision, 'takeover');
  const cluster = record(view);
  if (takeover === undefined || takeover.basis === 'bootstrap' || cluster === undefined)
    return undefined;
  const forced = view.command?.kind === 'failover' && view.command.candidate === view.self;
  const unwritten = keyFault(view, cluster, takeover.sync);
  if (unwritten !== undefined || forced) return unwritten;
  return hasAmnesia(view) ? rememberedFault(view) : shownFault(view, cluster);
}

/** The key changes hands with the lease. */
function keyFault(
  view: View,
  cluster: ClusterRecord,
  written: SyncKey | undefined,
): string | undefined {
  const shown = valueOf(cluster.sync);
  const inForce = cluster.sync.kind === 'garbled' || shown?.leader !== undefined;
  if (inForce && written?.leader !== view.self) return 'leaves key sync to the former leader';
  const version = shown?.version ?? 0;
  return written !== undefined && written.version <= version
    ? 'writes key sync with an old version'
    : undefined;
}

function shownFault(view: View, cluster: ClusterRecord): string | undefined {
  const { sync } = cluster;
  if (sync.kind === 'absent' || hasWholeLog(view, cluster)) return undefined;
  if (sync.kind === 'garbled') {
    const holder = valueOf(cluster.generation)?.holder;
    return holder === view.self && hasLedLast(view, cluster)
      ? undefined
      : 'nobody can read who has the commits';
  }
  const { leader, quorum, version } = sync.value;
  if (leader === undefined) return undefined;
  if (leader === view.self && (version === 0 || hasLedLast(view, cluster))) return undefined;
  const votes = votersOf(view, sync.value);
  return votes > quorum ? undefined : `${votes} votes of ${quorum + 1}`;
}

/** Consul has lost the key: all that this host remembers of have to agree. */
function rememberedFault(view: View): string | undefined {
  const { sync, floor } = view.host;
  const isOff = view.settings.policy.synchronous.mode === 'off';
  if (sync === undefined) return isOff ? undefined : 'nobody knows who has the commits';
  if (sync.n < floor.n) return 'goes by the key of an older generation';
  if (sync.key.leader === undefined) return isOff ? undefined : 'nobody knows who has the commits';
  const { standbys, leader } = sync.key;
  if (standbys.length === 0)
    return leader === view.self && hasLed(view, floor.id) ? undefined : `only ${leader} has them`;
  const votes = votersOf(view, sync.key);
  return votes === standbys.length ? undefined : `${votes} votes of ${standbys.length}`;
}

/** These data, whoever else may have the name. */
const hasLed = ({ host }: View, id: string | undefined): boolean =>
  [...(host.led ?? []), ...host.promotions.map((promotion) => promotion.id)].some(
    (known) => known === id,
  );

const hasLedLast = (view: View, { generation }: ClusterRecord): boolean => {
  const newest = valueOf(generation);
  const last = promotedGeneration(newest)?.id;
  return hasLed(view, newest?.id) || (last !== undefined && hasLed(view, last));
};

function hasWholeLog(view: View, cluster: ClusterRecord): boolean {
  const released = valueOf(cluster.lease)?.released;
  const facts = server(view);
  const lsn = facts === undefined ? undefined : ownLsn(facts);
  if (released?.lsn === undefined || lsn === undefined || lsn < released.lsn) return false;
  return facts?.timeline === valueOf(cluster.generation)?.timeline;
}

function votersOf(view: View, key: SyncKey): number {
  const facts = server(view);
  const lsn = facts === undefined ? undefined : ownLsn(facts);
  if (facts === undefined || lsn === undefined) return 0;
  const votes = (view.canvass?.opinions ?? []).filter(({ name, report }) => {
    if (!key.standbys.includes(name) || name === view.self || report?.role !== 'standby')
      return false;
    if (report.timeline === undefined || report.lsn === undefined) return false;
    if (report.lsnAgeMillis === undefined || report.timeline > facts.timeline) return false;
    return report.timeline < facts.timeline || report.lsn <= lsn;
  });
  const names = new Set([...votes.map(({ name }) => name), view.self]);
  return key.standbys.filter((name) => names.has(name)).length;
}

/** Whoever may be promoted has what may have been acknowledged, before and after each step. */
export function stepsOverlap(view: View, decision: Decision): string | undefined {
  const written = find(decision, 'write-sync');
  const told = find(decision, 'set-sync-names') ?? find(decision, 'promote');
  if (written !== undefined && told !== undefined) return 'two steps at once';
  if (written !== undefined) return electorateFault(view, written.key);
  return told === undefined ? undefined : namesFault(view, told.names);
}

const ruleIn = (names: string | undefined) => {
  const parsed = parseSyncNames(names ?? '');
  return ruleOf(parsed ?? NO_SYNC_NAMES);
};

function electorateFault(view: View, key: SyncKey): string | undefined {
  const { mode } = view.settings.policy.synchronous;
  if (!holdsLease(view)) return 'key sync is written by a member that holds no lease';
  if (view.sync.writing) return 'another write is on its way';
  if (key.leader === undefined)
    return mode === 'off' && key.standbys.length === 0 ? undefined : 'a key without a leader';
  if (key.leader !== view.self) return `names ${key.leader} as the leader`;
  if (key.standbys.includes(view.self)) return 'counts the leader as a voter';
  const electorate = { voters: key.standbys, quorum: key.quorum };
  const cluster = record(view);
  const before = cluster === undefined ? undefined : valueOf(cluster.sync);
  const same =
    before?.leader === key.leader &&
    before.quorum === key.quorum &&
    before.standbys.join() === key.standbys.join();
  if (same) return undefined;
  const rule = ruleIn(server(view)?.synchronousStandbyNames);
  return overlaps(electorate, rule) ? undefined : 'commits do not wait for who may be promoted';
}

function namesFault(view: View, names: string | undefined): string | undefined {
  const slot = record(view)?.sync;
  if (slot === undefined || slot.kind === 'absent') return undefined;
  const key = valueOf(slot);
  if (key !== undefined && key.leader === undefined) return undefined;
  const { written, writing } = view.sync;
  const isLast = written?.index === slot.index && written.leaseId === view.held?.id;
  if (key?.leader !== view.self || !isLast || writing) return 'key sync may be another by now';
  const rule = names === undefined ? ALONE : ruleIn(names);
  const electorate = { voters: key.standbys, quorum: key.quorum };
  return overlaps(electorate, rule) ? undefined : 'who may be promoted is not waited for';
}
