import type { ClusterRecord, Generation } from '../core/cluster.ts';
import { indexOf, valueOf } from '../core/cluster.ts';
import { observeLease } from '../core/observation.ts';
import type { Observation } from '../core/observation.ts';
import { rememberPause } from '../core/pause.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { HostMemory } from '../core/view.ts';
import type { ReadAnswer } from '../ports/cluster-store.ts';
import { confirmTimeline, raiseFloor, updateHost } from './host-memory.ts';
import type { AgentState } from './state.ts';

/** What happened to a record that was read. */
export type Ingested = 'taken' | 'outdated';

/**
 * Takes a record in. An answer that was asked for before an own write was confirmed may show the
 * past: it counts only when its index proves that it is at least as new as that write.
 */
export function ingest(
  state: AgentState,
  record: ClusterRecord,
  index: number,
  requestedAt: Instant,
): Ingested {
  const last = state.lastWrite;
  if (last !== undefined && requestedAt < last.at && index < last.index) return 'outdated';
  const receivedAt = state.now();
  const ttlMillis = state.ports.settings.current().policy.timing.ttlMillis;
  state.cluster = { value: record, askedAt: requestedAt, receivedAt };
  state.clusterSeenAt = state.ports.clock.wall();
  state.observation = observeLease(continued(state, record), record, receivedAt, ttlMillis);
  state.storeGap = false;
  remember(state, record, requestedAt);
  state.configure();
  settleTakeover(state, record, requestedAt);
  settlePromise(state, record);
  return 'taken';
}

/** Asks Consul, and takes in what it says; `taken`: that is not of the past. */
export async function readStore(
  state: AgentState,
  timeoutMillis: Millis = state.ports.settings.current().policy.timing.retryTimeoutMillis,
): Promise<{ readonly answer: ReadAnswer; readonly taken: boolean }> {
  const askedAt = state.now();
  const answer = await state.ports.store.read(timeoutMillis);
  const taken =
    answer.kind === 'read' && ingest(state, answer.record, answer.index, askedAt) === 'taken';
  return { answer, taken };
}

/**
 * An own write is in the store: answers that were asked for before count only when they are at least
 * as new. Two writes may be answered in the other order.
 */
export function noteWrite(state: AgentState, indexes: Readonly<Record<string, number>>): void {
  const before = state.lastWrite?.index ?? 0;
  const index = Math.max(before, ...Object.values(indexes));
  state.lastWrite = { index, at: state.now() };
}

/**
 * A key that is missing, or that is back from the past, looks the same whatever happened while the
 * store could not be read: then it is observed anew. An index that only rises cannot come back.
 */
function continued(state: AgentState, record: ClusterRecord): Observation | undefined {
  const before = state.observation;
  const recorded = valueOf(record.generation)?.n ?? 0;
  if (!state.storeGap || before === undefined || recorded >= Math.max(1, state.host.floor.n))
    return before;
  return { ...before, generationIndex: -1 };
}

/** A release frees for good: the next record shows another lease, and the release is no more to be seen. */
function settlePromise(state: AgentState, record: ClusterRecord): void {
  const lease = valueOf(record.lease);
  if (lease?.released !== undefined && lease.id === state.promised?.leaseId) {
    state.promised = undefined;
  }
}

/** What is kept for the case that Consul forgets it. */
function remember(state: AgentState, record: ClusterRecord, requestedAt: Instant): void {
  for (const { key } of record.members) {
    if (key.apiUrl !== '') state.knownMembers.set(key.name, key.apiUrl);
  }
  state.lastConfig = valueOf(record.config) ?? state.lastConfig;
  const lease = valueOf(record.lease);
  const known = state.newestBeat;
  if (lease !== undefined && (known?.id !== lease.id || lease.beat > known.beat)) {
    state.newestBeat = { id: lease.id, beat: lease.beat };
  }
  const paused = (host: HostMemory): HostMemory => {
    const next = rememberPause(host.paused, record);
    return next === host.paused ? host : { ...host, paused: next };
  };
  if (paused(state.host) !== state.host) void updateHost(state, paused);
  const generation = valueOf(record.generation);
  if (generation === undefined) return;
  rememberSync(state, record, generation);
  confirmTimeline(state, generation.id, generation.n, requestedAt);
  if (generation.id === state.held?.id) state.ownGeneration = generation;
  if (generation.n > state.host.floor.n) {
    void updateHost(state, raiseFloor(generation.n, generation.id));
  }
}

/** Key `sync` with the generation it belongs to, on disk when it is another: never an older one over a newer. */
function rememberSync(state: AgentState, record: ClusterRecord, generation: Generation): void {
  const key = valueOf(record.sync);
  const { n, id } = generation;
  if (id === state.held?.id && key !== undefined && key.version >= (state.ownSync?.version ?? 0))
    state.ownSync = key;
  const change = (host: HostMemory): HostMemory => {
    const known = host.sync;
    if (n < Math.max(host.floor.n, known?.n ?? 0) || record.sync.kind === 'garbled') return host;
    if (known?.n === n && (key?.version ?? 0) <= known.key.version) return host;
    if (key?.leader === undefined && known === undefined) return host;
    return { ...host, sync: key === undefined ? undefined : { n, key } };
  };
  if (change(state.host) !== state.host) void updateHost(state, change);
}

/** An unanswered takeover is void once a read, asked for later, shows that what it checked has moved. */
function settleTakeover(state: AgentState, record: ClusterRecord, requestedAt: Instant): void {
  const pending = state.takeover;
  if (pending?.unanswered === undefined || requestedAt < pending.sentAt) return;
  if (valueOf(record.generation)?.id === pending.id) return;
  // An index that went back is an old answer, or a store of the past: it settles nothing.
  if (pending.unanswered.some(({ key, index }) => hasMoved(indexOf(record[key]), index))) {
    state.takeover = undefined;
  }
}

const hasMoved = (now: number, checked: number): boolean =>
  now > checked || (now === 0 && checked > 0);
