import type { Action } from './action.ts';
import { indexOf, valueOf } from './cluster.ts';
import type { ClusterRecord, Slot, SyncKey } from './cluster.ts';
import type { Lsn } from './lsn.ts';
import type { Memory } from './memory.ts';
import type { ServerFacts } from './postgres.ts';
import { namesOf, NO_VOTERS, planSync, ruleFor, ruleOf, sameElectorate } from './quorum.ts';
import type { CommitRule, Electorate } from './quorum.ts';
import { flushedUpTo, syncGoal } from './sync-goal.ts';
import { formatSyncNames, NO_SYNC_NAMES, NOBODY, parseSyncNames } from './sync-names.ts';
import { noteLagging } from './sync-presence.ts';
import { plus, since } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { View } from './view.ts';

/**
 * The leader's part of synchronous replication: who may be promoted (key `sync` in Consul) and for
 * whom commits wait (`synchronous_standby_names`) are brought to what the policy asks for, one
 * guarded step after another, so that at each of them they overlap (I5, `quorum.ts`).
 */
export interface SyncDuty {
  readonly actions: readonly Action[];
  readonly memory: Memory;
  /** For the reason of the decision; empty: nothing is synchronous. */
  readonly says: string;
  readonly wakeAt?: Instant | undefined;
}

/** What changes is looked at again this soon, for so long; then at every heartbeat. */
const LOOK_AGAIN_MILLIS: Millis = 20;
const EAGER_MILLIS: Millis = 2000;
/** Postgres is told again when what it was told does not show. */
const TELL_AGAIN_MILLIS: Millis = 2000;

const KEEP_NOBODY = formatSyncNames({ kind: 'first', count: 1, names: [NOBODY] });

/** Whether the key is one that this member wrote itself, under this lease, and knows to be the last word. */
function isKeySettled(view: View, slot: Slot<SyncKey>): boolean {
  const { written, writing } = view.sync;
  if (writing || written === undefined || slot.kind !== 'present') return false;
  return written.leaseId === view.held?.id && written.index === slot.index;
}

/** Whether what Postgres shows is what it was last told, and was told by this process. */
function areNamesSettled(view: View, facts: ServerFacts): boolean {
  const { told } = view.sync;
  if (told?.names === undefined || view.probe === undefined) return false;
  return view.probe.askedAt >= told.at && sameNames(told.names, facts.synchronousStandbyNames);
}

const normal = (names: string): string => formatSyncNames(parseSyncNames(names) ?? NO_SYNC_NAMES);
export const sameNames = (a: string, b: string): boolean => normal(a) === normal(b);

/**
 * Nobody but who has every commit can lead next: the key says so, this member wrote it under this lease,
 * and nobody else may change it before the lease is over.
 */
export function keepsEveryCommit(view: View): boolean {
  const slot = view.cluster?.value.sync;
  return slot !== undefined && isKeySettled(view, slot) && valueOf(slot)?.leader === view.self;
}

const isInForce = (slot: Slot<SyncKey>): boolean =>
  slot.kind === 'garbled' || valueOf(slot)?.leader !== undefined;

const electorateOf = (key: SyncKey): Electorate => ({ voters: key.standbys, quorum: key.quorum });

export function syncDuty(
  view: View,
  memory: Memory,
  cluster: ClusterRecord,
  facts: ServerFacts,
): SyncDuty {
  const generation = valueOf(cluster.generation);
  // What a store of the past says is nothing to go by; the next heartbeats write the present back.
  if (view.held === undefined || view.held.amnesia || generation?.id !== view.held.id)
    return { actions: [], memory, says: '' };
  const { mode } = view.settings.policy.synchronous;
  if (mode !== 'off') return keepSynchronous(view, memory, cluster, facts);
  if (isInForce(cluster.sync)) {
    return write(view, memory, cluster.sync, { leader: undefined, standbys: [], quorum: 0 }, '');
  }
  const { told } = view.sync;
  const actions: Action[] =
    told !== undefined && told.names === undefined
      ? []
      : [{ kind: 'set-sync-names', names: undefined }];
  return { actions, memory, says: '' };
}

function keepSynchronous(
  view: View,
  before: Memory,
  cluster: ClusterRecord,
  facts: ServerFacts,
): SyncDuty {
  const seen = noteNames(view, before, facts);
  const slot = cluster.sync;
  const key = ownKey(view, slot);
  if (key === undefined) {
    return write(view, seen, slot, { leader: view.self, standbys: [], quorum: 0 }, BEGINS);
  }
  const electorate = electorateOf(key);
  const rule = ruleOf(parseSyncNames(facts.synchronousStandbyNames) ?? NO_SYNC_NAMES);
  const says = describe(electorate, rule);
  const present = [
    ...new Set([...rule.standbys, ...electorate.voters, ...namesOfMembers(cluster)]),
  ];
  const memory = noteLagging(view, seen, facts, present);
  // "A request without an answer may still commit later": no step before it can do so no more.
  if (!isKeySettled(view, slot)) return write(view, memory, slot, key, says);
  const barrier = memory.syncNames?.barrier;
  const goal = syncGoal(view, memory, cluster, facts, { electorate, rule });
  const asked = [...new Set([...goal.standbys, ...rule.standbys])];
  const confirmed = barrier === undefined ? [] : flushedUpTo(facts, asked, barrier);
  const step = planSync({ electorate, rule, confirmed }, goal);
  switch (step.kind) {
    case 'electorate': {
      const { voters, quorum } = step.electorate;
      const restricts = sameElectorate(step.electorate, NO_VOTERS);
      if (!restricts && !areNamesSettled(view, facts)) return tell(view, memory, facts, rule, says);
      const next = { leader: view.self, standbys: voters, quorum };
      return write(view, memory, slot, next, says);
    }
    case 'rule':
      return tell(view, memory, facts, step.rule, says);
    case 'await':
      return lookAgain(
        view,
        memory,
        `${says}, waits for ${step.standbys.join(', ')} to catch up`,
        true,
      );
    case 'settled':
      return goal.strict && rule.count === 0
        ? tell(view, memory, facts, { standbys: [NOBODY], count: 1 }, says)
        : lookAgain(view, memory, says, isSomebodyAway(memory));
  }
}

/** Undefined: it is not in force, or somebody else has made it what it is. */
function ownKey(view: View, slot: Slot<SyncKey>): SyncKey | undefined {
  const key = valueOf(slot);
  return key?.leader === view.self && !key.standbys.includes(view.self) ? key : undefined;
}

const BEGINS = 'synchronous replication begins';

const namesOfMembers = (cluster: ClusterRecord): readonly string[] =>
  cluster.members.map(({ key }) => key.name);

function write(
  view: View,
  memory: Memory,
  slot: Slot<SyncKey>,
  next: Omit<SyncKey, 'version'>,
  says: string,
): SyncDuty {
  const action = dueWrite(view, slot, next);
  const { writing, retryAt } = view.sync;
  return {
    actions: action === undefined ? [] : [action],
    memory,
    says,
    wakeAt: writing ? undefined : retryAt,
  };
}

/** Guarded by what was read. The version makes each write one that Consul takes for a change. */
function dueWrite(
  view: View,
  slot: Slot<SyncKey>,
  next: Omit<SyncKey, 'version'>,
): Action | undefined {
  const { writing, retryAt } = view.sync;
  if (writing || (retryAt !== undefined && view.now < retryAt)) return undefined;
  const known = Math.max(valueOf(slot)?.version ?? 0, view.host.sync?.key.version ?? 0);
  return { kind: 'write-sync', key: { ...next, version: known + 1 }, index: indexOf(slot) };
}

function tell(
  view: View,
  memory: Memory,
  facts: ServerFacts,
  rule: CommitRule,
  says: string,
): SyncDuty {
  const names = namesFor(view, rule);
  const { told } = view.sync;
  const pending = told?.names === names && !areNamesSettled(view, facts);
  if (pending && since(told.at, view.now) < TELL_AGAIN_MILLIS)
    return lookAgain(view, memory, says, true);
  return {
    actions: [{ kind: 'set-sync-names', names }],
    memory,
    says,
    wakeAt: plus(view.now, LOOK_AGAIN_MILLIS),
  };
}

const isSomebodyAway = (memory: Memory): boolean =>
  Object.values(memory.syncLagging).some(({ flushLsn }) => flushLsn === undefined);

/** Right after a change the answer that is waited for is milliseconds away. */
function lookAgain(view: View, memory: Memory, says: string, awaits: boolean): SyncDuty {
  const { told } = view.sync;
  const changing = awaits || memory.syncNames?.barrier === undefined;
  if (!changing || told === undefined || since(told.at, view.now) > EAGER_MILLIS)
    return { actions: [], memory, says };
  return {
    actions: [{ kind: 'probe' }],
    memory,
    says,
    wakeAt: plus(view.now, LOOK_AGAIN_MILLIS),
  };
}

/**
 * Since when which names have been in effect, and where the log ended then: what was acknowledged
 * before may be with nobody else. The position counts of a probe that was asked for after another had
 * shown the names already.
 */
function noteNames(view: View, memory: Memory, facts: ServerFacts): Memory {
  const { probe, sync } = view;
  if (probe === undefined) return memory;
  const names = facts.synchronousStandbyNames;
  const server = facts.postmasterStartedAt;
  const toldAt = sync.told?.at;
  const known = memory.syncNames;
  if (known?.names !== names || known.server !== server || known.toldAt !== toldAt) {
    if (toldAt !== undefined && probe.askedAt < toldAt) return forgetNames(memory);
    const fresh = { names, server, toldAt, seenAt: probe.receivedAt, barrier: undefined };
    return { ...memory, syncNames: fresh };
  }
  if (known.barrier !== undefined || probe.askedAt < known.seenAt) return memory;
  const barrier: Lsn | undefined = facts.flushLsn;
  return barrier === undefined ? memory : { ...memory, syncNames: { ...known, barrier } };
}

const forgetNames = (memory: Memory): Memory =>
  memory.syncNames === undefined ? memory : { ...memory, syncNames: undefined };

function describe({ voters }: Electorate, { standbys, count }: CommitRule): string {
  if (count === 0) return 'no standby has synchronous commits';
  if (standbys.includes(NOBODY)) return 'commits wait for a standby to come';
  const list = standbys.toSorted().join(', ');
  const some = count === standbys.length ? list : `${count} of ${list}`;
  const others = voters.length === 0 ? ', and none may take over yet' : '';
  return `synchronous: ${some}${others}`;
}

/** What a promotion needs first, so that its first commit already waits for whom it has to. */
export type SyncPromotion =
  | { readonly kind: 'ready'; readonly names: string | undefined }
  | { readonly kind: 'first'; readonly action: Action | undefined; readonly why: string };

export function syncPromotion(
  view: View,
  cluster: ClusterRecord | undefined,
  founded: boolean,
): SyncPromotion {
  const { mode, strict } = view.settings.policy.synchronous;
  if (cluster === undefined) {
    return { kind: 'first', action: undefined, why: 'key sync has not been read yet' };
  }
  const slot = cluster.sync;
  // What was written under this lease may not show in what was read last.
  const touched = view.sync.writing || view.sync.written?.leaseId === view.held?.id;
  const settled = isKeySettled(view, slot);
  if (!isInForce(slot) && (settled || !touched)) {
    if (mode === 'off') return { kind: 'ready', names: undefined };
    // The roles of a new cluster are made before there can be a standby.
    return { kind: 'ready', names: founded ? namesAlone(strict) : '' };
  }
  const key = ownKey(view, slot);
  if (key === undefined || !settled) {
    const next = key ?? { leader: view.self, standbys: [], quorum: 0 };
    const why = 'key sync is written anew before a promotion';
    return { kind: 'first', action: dueWrite(view, slot, next), why };
  }
  const rule = ruleFor(electorateOf(key));
  return { kind: 'ready', names: rule.count === 0 ? namesAlone(strict) : namesFor(view, rule) };
}

/** No standby is there: nobody is waited for, or somebody to come. */
const namesAlone = (strict: boolean): string => (strict ? KEEP_NOBODY : '');

function namesFor(view: View, rule: CommitRule): string {
  const { mode } = view.settings.policy.synchronous;
  return formatSyncNames(namesOf(rule, mode === 'quorum' ? 'quorum' : 'on'));
}

/** Whatever promotes a standby behind the agent's back acknowledges nothing while the mode is on. */
export function standbyNames(view: View): string | undefined {
  const slot = view.cluster?.value.sync;
  const inForce = slot !== undefined && isInForce(slot);
  return inForce || view.settings.policy.synchronous.mode !== 'off' ? KEEP_NOBODY : undefined;
}
