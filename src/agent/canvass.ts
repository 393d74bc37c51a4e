import { findMember, valueOf } from '../core/cluster.ts';
import type { ClusterRecord, Member } from '../core/cluster.ts';
import type { PeerAddress } from '../ports/peers.ts';
import type { Millis } from '../core/time.ts';
import type { PeerOpinion } from '../core/view.ts';
import type { AgentState } from './state.ts';

/** A dead host answers nothing: an election does not wait for it for longer than this. */
const ELECTION_MILLIS: Millis = 300;
/** A planned change can wait for a slow answer, until nobody can write any more. */
const PLANNED_MILLIS: Millis = 1500;

/** Asks every other member for its opinion at once; who does not answer in time has none. */
export async function canvass(state: AgentState): Promise<void> {
  const running = state.canvass;
  if (running !== undefined && running.finishedAt === undefined) return;
  const cluster = state.cluster?.value;
  if (cluster === undefined) return;
  const self = state.ports.settings.current().member.name;
  const askedAt = state.now();
  const others = electorate(state, cluster).filter(([name]) => name !== self);
  const drained = state.memory.handover?.drainedAt !== undefined;
  const timeoutMillis = state.held === undefined || drained ? ELECTION_MILLIS : PLANNED_MILLIS;
  state.canvass = { askedAt, finishedAt: undefined, opinions: [] };
  const opinions = await Promise.all(
    others.map(async ([name, apiUrl]) => ask(state, cluster, { name, apiUrl }, timeoutMillis)),
  );
  state.canvass = { askedAt, finishedAt: state.now(), opinions };
  state.changed();
}

/** Everyone who may know something: a store that forgot its members is asked about behind its back. */
function electorate(
  state: AgentState,
  cluster: ClusterRecord,
): readonly (readonly [string, string])[] {
  const present = cluster.members.map(({ key }) => [key.name, key.apiUrl] as const);
  return [
    ...new Map([
      ...state.knownMembers,
      ...Object.entries(valueOf(cluster.failsafe) ?? {}),
      ...present,
    ]),
  ];
}

async function ask(
  state: AgentState,
  cluster: ClusterRecord,
  peer: PeerAddress,
  timeoutMillis: Millis,
): Promise<PeerOpinion> {
  const { name } = peer;
  const answer = await state.ports.peers.report(peer, timeoutMillis);
  if (!answer.ok) return { name, report: undefined };
  const report = answer.value;
  return {
    name,
    report: {
      role: report.postgres.role,
      state: report.postgres.state,
      systemIdentifier: report.systemIdentifier,
      timeline: report.postgres.timeline,
      lsn: report.postgres.lsn,
      lsnAgeMillis: report.postgres.lsnAgeMillis,
      highestGeneration: report.highestGeneration,
      syncSeen: report.syncSeen,
      newestBeat: report.newestBeat,
      holdsLease: report.holdsLease,
      canTakeOver: report.canTakeOver,
      promiseFreeMillis: isListed(cluster, peer) ? report.promiseFreeMillis : undefined,
      failoverPriority: priorityOf(findMember(cluster, name)),
    },
  };
}

/** Another machine of a listed name does not know what the one that the leader asks has promised. */
const isListed = (cluster: ClusterRecord, { name, apiUrl }: PeerAddress): boolean =>
  valueOf(cluster.failsafe)?.[name] === apiUrl;

function priorityOf(member: Member | undefined): number {
  const priority = member?.key.tags?.['failover_priority'];
  return typeof priority === 'number' ? priority : 1;
}
