import type { MemberKey } from '../core/cluster.ts';
import { valueOf } from '../core/cluster.ts';
import { ownEligibility } from '../core/candidates.ts';
import {
  clusterIdentifier,
  control,
  holdsLease,
  leader,
  leaseIsFree,
  leaseIsOver,
  ownLsn,
  role,
  server,
} from '../core/facts.ts';
import type { Role } from '../core/facts.ts';
import type { JsonObject } from '../core/json.ts';
import type { PostgresState } from '../core/postgres.ts';
import { showsPaused } from '../core/pause.ts';
import { promiseFreeMillis } from '../core/reach.ts';
import { syncStanding } from '../core/sync-terms.ts';
import { later, since } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { PeerOpinion, View } from '../core/view.ts';
import type { PeerReport } from '../ports/peers.ts';
import type { CandidateVerdict, Explanation, MemberStatus, PublishedRole } from './facade.ts';
import type { AgentState } from './state.ts';

/** A server that has not answered for longer is not vouched for any more. */
const ANSWER_FRESH_MILLIS: Millis = 4000;
/** Longer than a quiet watch may wait. */
const STORE_FRESH_MILLIS: Millis = 15_000;

/** What every reader is told of this member: computed from memory at the moment of asking, in one piece. */
export function memberStatus(state: AgentState, failsafeActive: boolean): MemberStatus {
  const view = state.view();
  const holds = holdsLease(view);
  const seen = view.cluster;
  const generation = seen === undefined ? undefined : valueOf(seen.value.generation);
  return {
    state: postgresState(state, view),
    role: publishedRole(state, view),
    holdsLease: holds,
    acceptsWrites: holds && acceptsWrites(state, view),
    server: lastAnswer(view),
    replicationState: replicationState(view),
    leaseLeftMillis: leaseLeft(view),
    generation: generation === undefined ? undefined : { n: generation.n, id: generation.id },
    storeSeenMillis: seen === undefined ? undefined : since(seen.receivedAt, view.now),
    storeLastSeenAt: state.clusterSeenAt,
    clusterUnlocked: !holds && (leader(view) === undefined || leaseIsOver(view)),
    failsafeActive,
    commitBrake: state.brake,
    paused: showsPaused(view),
    pendingRestart: pendingRestart(view),
    optime: seen === undefined ? undefined : valueOf(seen.value.status)?.optime,
    guardian: guardianStatus(state),
    watchdog: watchdogStatus(view),
    diskFreeBytes: view.disk?.freeBytes,
    job: jobStatus(view, state.jobProgressRatio),
    systemIdentifier:
      server(view)?.systemIdentifier ?? control(view)?.systemIdentifier ?? clusterIdentifier(view),
  };
}

/** Undefined: there is none, or no time ends it. */
function leaseLeft(view: View): Millis | undefined {
  const { held } = view;
  return held === undefined || held.paused || !holdsLease(view)
    ? undefined
    : since(view.now, held.end);
}

function lastAnswer(view: View): MemberStatus['server'] {
  const facts = server(view);
  if (facts === undefined || view.probe === undefined) return undefined;
  return { facts, ageMillis: since(view.probe.receivedAt, view.now) };
}

function guardianStatus(state: AgentState): MemberStatus['guardian'] {
  const guardian = state.ports.guardian.state();
  if (guardian.kind === 'absent') return 'absent';
  return guardian.armed === undefined ? 'idle' : 'armed';
}

/** As in Patroni, what is not required has not failed. */
function watchdogStatus({ settings, watchdog }: View): MemberStatus['watchdog'] {
  const required = settings.watchdog?.mode === 'required';
  return { state: watchdog?.kind ?? 'off', failed: required && watchdog?.kind === 'unusable' };
}

function jobStatus({ job, now }: View, progressRatio: number | undefined): MemberStatus['job'] {
  if (job === undefined) return undefined;
  const { kind, progress } = job;
  return { kind, forMillis: since(job.startedAt, now), progress, progressRatio };
}

/** Seen writable lately, by this postmaster, and nobody is about to stop it. */
function acceptsWrites(state: AgentState, view: View): boolean {
  const facts = server(view);
  if (facts === undefined || facts.inRecovery || view.probe === undefined) return false;
  // One that turns the agent away, or whose sessions wait for something, serves those that are in.
  const heardAt = later(view.probe.receivedAt, view.aliveAt ?? view.probe.receivedAt);
  if (since(heardAt, view.now) > ANSWER_FRESH_MILLIS) return false;
  if (state.memory.handover?.drainedAt !== undefined || view.job?.kind === 'stop') return false;
  return clusterIdentifier(view) !== undefined;
}

function publishedRole(state: AgentState, view: View): PublishedRole {
  switch (role(view)) {
    case 'primary':
      return 'primary';
    case 'standby':
      return view.job?.kind === 'promote' ? 'promoted' : 'replica';
    case 'foreign':
    case 'unknown':
      return 'uninitialized';
    case 'unanswered':
      return state.host.promotions.length > 0 && holdsLease(view) ? 'primary' : 'replica';
    case 'down':
      return view.directory?.value.kind === 'cluster' ? 'replica' : 'uninitialized';
  }
}

const STATE_OF_ROLE: Readonly<Record<Role, PostgresState>> = {
  primary: 'running',
  standby: 'running',
  unanswered: 'starting',
  down: 'stopped',
  foreign: 'unknown',
  unknown: 'unknown',
};

function postgresState(state: AgentState, view: View): PostgresState {
  const now = role(view);
  if (state.transition !== undefined && (view.job !== undefined || now === 'down'))
    return state.transition;
  if (now === 'down' && view.postmaster.kind === 'down' && view.postmaster.exitCause === 'exited')
    return 'crashed';
  return STATE_OF_ROLE[now];
}

function replicationState(view: View): string | undefined {
  const facts = server(view);
  if (facts === undefined || !facts.inRecovery) return undefined;
  return facts.receiverState === 'streaming' ? 'streaming' : 'in archive recovery';
}

function pendingRestart(view: View): JsonObject | undefined {
  const settings = server(view)?.pendingRestart;
  if (settings === undefined || isEmpty(settings)) return undefined;
  const pending = Object.entries(settings);
  return Object.fromEntries(
    pending.map(([name, [running, configured]]) => [
      name,
      { old_value: running, new_value: configured },
    ]),
  );
}

/** Key `members/<name>`, in Patroni's shape. Made anew whenever something changes: cheap, and of one shape. */
export function memberKey(state: AgentState, leaving: boolean): MemberKey {
  const view = state.view();
  const facts = server(view);
  const { name, connUrl, apiUrl, proxyUrl, tags } = view.settings.member;
  const standby = facts?.inRecovery === true ? facts : undefined;
  const pending = pendingRestart(view);
  return {
    name,
    connUrl,
    apiUrl,
    state: leaving ? 'stopped' : postgresState(state, view),
    role: leaving ? 'uninitialized' : publishedRole(state, view),
    version: state.ports.version,
    honoursReach: true,
    proxyUrl,
    tags: isEmpty(tags.published) ? undefined : tags.published,
    timeline: facts?.timeline,
    xlogLocation: facts === undefined ? undefined : ownLsn(facts),
    receiveLsn: standby?.receivedLsn,
    replayLsn: standby?.replayedLsn,
    replicationState: replicationState(view),
    pendingRestart: pending === undefined ? undefined : true,
    pendingRestartReason: pending,
    pause: showsPaused(view) ? true : undefined,
  };
}

const isEmpty = (record: object): boolean => Object.keys(record).length === 0;

/** What this member tells another that considers taking over. */
export function peerReport(state: AgentState): PeerReport {
  const view = state.view();
  const facts = server(view);
  const held = view.held;
  const now = role(view);
  return {
    scope: view.settings.member.scope,
    name: view.self,
    incarnation: state.incarnation,
    systemIdentifier: facts?.systemIdentifier,
    postgres: {
      state: postgresState(state, view),
      role: now === 'primary' ? 'primary' : now === 'standby' ? 'standby' : 'unknown',
      timeline: facts?.timeline,
      lsn: facts === undefined ? undefined : ownLsn(facts),
      lsnAgeMillis: lsnAge(view),
    },
    highestGeneration: view.host.floor,
    syncSeen:
      view.host.sync === undefined
        ? undefined
        : { n: view.host.sync.n, version: view.host.sync.key.version },
    newestBeat: state.newestBeat,
    holdsLease:
      held !== undefined && holdsLease(view)
        ? { id: held.id, n: held.n, leftMillis: leaseLeft(view) ?? held.ttlInForceMillis }
        : undefined,
    canTakeOver: canTakeOver(view),
    promiseFreeMillis: promiseFreeMillis(view),
    storeSeenMillis:
      view.cluster === undefined ? undefined : since(view.cluster.receivedAt, view.now),
  };
}

/**
 * A vote for another member says "I have no more than that". After a start the position is that of
 * the replay, and there may be more on the disk, until Postgres has begun to ask for more.
 */
function lsnAge(view: View): Millis | undefined {
  const facts = server(view);
  if (facts === undefined || view.probe === undefined) return undefined;
  const known = !facts.inRecovery || facts.receivedLsn !== undefined || facts.replayedAll === true;
  return known ? since(view.probe.askedAt, view.now) : undefined;
}

/** Others defer only to a yes: what would keep this member from acting counts, not only its data. */
function canTakeOver(view: View): PeerReport['canTakeOver'] {
  if (view.cluster === undefined || since(view.cluster.receivedAt, view.now) > STORE_FRESH_MILLIS) {
    return { able: false, why: 'it has not read Consul lately' };
  }
  // It answers until it is down.
  if (view.job?.kind === 'stop' || view.command?.kind === 'shutdown') {
    return { able: false, why: 'its Postgres is being stopped' };
  }
  const record = view.cluster.value;
  const listed = valueOf(record.failsafe);
  const released = valueOf(record.lease)?.released !== undefined;
  if (!released && listed !== undefined && !(view.self in listed)) {
    return { able: false, why: 'it is not on the failsafe list' };
  }
  const fitness = ownEligibility(view, false);
  if (fitness.kind === 'ineligible') return { able: false, why: fitness.why };
  // While the leader lives it can hand over to anyone: who lacks nothing then is told by its release.
  const standing = leaseIsFree(view) ? syncStanding(view) : undefined;
  return standing?.kind === 'barred'
    ? { able: false, why: standing.why }
    : { able: true, why: fitness.why };
}

export function explanation(state: AgentState): Explanation {
  const view = state.view();
  const decision = state.decision;
  const opinions = view.canvass?.opinions ?? [];
  return {
    rule: decision?.rule ?? 'R170',
    ruleName: decision?.name ?? 'unknown-yet',
    why: decision?.why ?? 'the agent has just started',
    waitsFor: decision?.waitsFor ?? [],
    sinceMillis: state.decidedSince === undefined ? 0 : since(state.decidedSince, view.now),
    candidates: [ownVerdict(view), ...opinions.map(peerVerdict)],
  };
}

function ownVerdict(view: View): CandidateVerdict {
  const facts = server(view);
  const fitness = ownEligibility(view, false);
  return {
    name: view.self,
    eligible: fitness.kind === 'eligible',
    why: holdsLease(view) ? 'leads' : fitness.why,
    lsn: facts === undefined ? undefined : ownLsn(facts),
    timeline: facts?.timeline,
  };
}

function peerVerdict({ name, report }: PeerOpinion): CandidateVerdict {
  return {
    name,
    eligible: report?.canTakeOver.able === true,
    why: report === undefined ? 'did not answer when last asked' : report.canTakeOver.why,
    lsn: report?.lsn,
    timeline: report?.timeline,
  };
}
