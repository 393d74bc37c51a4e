import type { BrakeState } from '../core/brake.ts';
import type { ClusterRecord, Generation, SyncKey } from '../core/cluster.ts';
import type { Decision } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import type { JobOutcome, RunningJob } from '../core/job.ts';
import type { HeldLease } from '../core/lease.ts';
import { NO_MEMORY } from '../core/memory.ts';
import type { Memory } from '../core/memory.ts';
import type { Observation } from '../core/observation.ts';
import type {
  DataDirectory,
  DiskFacts,
  Observed,
  PostgresState,
  ProbeAnswer,
  Silence,
} from '../core/postgres.ts';
import type { Promised } from '../core/promise.ts';
import { NO_SYNC_FACTS } from '../core/sync-facts.ts';
import type { SyncFacts } from '../core/sync-facts.ts';
import type { EpochMillis, Instant } from '../core/time.ts';
import type {
  Canvass,
  Diagnosis,
  Guarded,
  HostMemory,
  PendingCommand,
  PendingTakeover,
  Postmaster,
  View,
} from '../core/view.ts';
import { watchdogFacts } from '../core/watchdog.ts';
import type { PreparedWatchdog, WatchdogSituation } from '../core/watchdog.ts';
import type { GuardianState } from '../ports/guardian.ts';
import { NO_HOST_MEMORY } from '../ports/host-state.ts';
import type { AgentPorts } from './ports.ts';

/** What a leader says itself of the promotion under its lease; timeline 0: it does not know. */
export interface LeaderSaid {
  readonly name: string;
  readonly leaseId: string;
  readonly timeline: number;
}

/**
 * Everything the agent knows, in one mutable place. Parts write what they own and call `changed`;
 * decisions are made on an immutable View of it.
 */
export class AgentState {
  readonly ports: AgentPorts;
  readonly incarnation: string;
  readonly startedAt: Instant;

  cluster: Observed<ClusterRecord> | undefined;
  clusterSeenAt: EpochMillis | undefined;
  /** The newest that was heard of a leader itself. */
  leaderSaid: LeaderSaid | undefined;
  /** When Postgres was found on a timeline that it went over to by itself. */
  timelineNotedAt: Instant | undefined;
  /** Consul could not be read since the record was last taken in. */
  storeGap = false;
  observation: Observation | undefined;
  held: HeldLease | undefined;
  lapsedId: string | undefined;
  wonLateId: string | undefined;
  hostUnsavedAt: Instant | undefined;
  storeSilentSince: Instant | undefined;
  /** Newest heartbeat read of anyone, for members that ask before they take over. */
  newestBeat: { readonly id: string; readonly beat: number } | undefined;
  /** Highest ModifyIndex of an own confirmed write, and when that was confirmed. */
  lastWrite: { readonly index: number; readonly at: Instant } | undefined;
  session: string | undefined;
  takeover: PendingTakeover | undefined;
  /** Since when nobody led before the own takeover; until Postgres has been promoted. */
  leaderlessSince: Instant | undefined;
  /** What this member has promised to a leader that cannot reach Consul. */
  promised: Promised | undefined;
  attached = false;
  probe: Observed<ProbeAnswer> | undefined;
  /** When the postmaster that runs now last answered. */
  answeredAt: Instant | undefined;
  /** When it last gave any sign of life. */
  aliveAt: Instant | undefined;
  /** Probes in a row that nobody has answered. */
  silence: Silence | undefined;
  /** Lease under which a promotion was asked for, or a running primary adopted: Postgres may be writable under it. */
  writableUnder: string | undefined;
  /** The postmaster that this process started as a standby and has not asked to promote since. */
  standbyPid: number | undefined;
  /** The generation that this member was last given, as it stood in Consul. */
  ownGeneration: Generation | undefined;
  /** Members ever seen, for the case that Consul forgets them: name to api_url. */
  readonly knownMembers = new Map<string, string>();
  /** The dynamic configuration as last read. */
  lastConfig: JsonObject | undefined;
  directory: Observed<DataDirectory> | undefined;
  disk: DiskFacts | undefined;
  job: RunningJob | undefined;
  /** How much of the running job is done, between 0 and 1; undefined: it does not say. */
  jobProgressRatio: number | undefined;
  lastJob: JobOutcome | undefined;
  canvass: Canvass | undefined;
  diagnosis: Diagnosis | undefined;
  sync: SyncFacts = NO_SYNC_FACTS;
  brake: BrakeState = 'off';
  /** The kernel's watchdog device, as long as no guardian holds it. */
  preparedWatchdog: PreparedWatchdog | undefined;
  /** Key `sync` as it stands under the own lease, for the case that Consul loses it. */
  ownSync: SyncKey | undefined;
  host: HostMemory = NO_HOST_MEMORY;
  /** The last change of `host` that was asked for. */
  hostWrites: Promise<boolean> = Promise.resolve(true);
  command: PendingCommand | undefined;
  memory: Memory = NO_MEMORY;
  decision: Decision | undefined;
  decidedSince: Instant | undefined;
  /** What Postgres is published as while no server can say it. */
  transition: PostgresState | undefined;
  /** When the timeline of the own promotion is to be put into `generation` by the next heartbeat. */
  promotionToRecord: boolean = false;

  #listener: () => void = () => {};
  #leaseListener: () => void = () => {};
  /** Takes up the dynamic configuration of a record before anything is decided on it. */
  configure: () => void = () => {};

  constructor(ports: AgentPorts) {
    this.ports = ports;
    this.incarnation = ports.random.id();
    this.startedAt = ports.clock.now();
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** Told whenever the held lease is another, renewed or not: what waits for that does not wait for a decision. */
  onLease(listener: () => void): void {
    this.#leaseListener = listener;
  }

  leaseMoved(): void {
    this.#leaseListener();
  }

  /** Something a decision may depend on is different: decide again, soon. */
  changed(): void {
    this.#listener();
  }

  now(): Instant {
    return this.ports.clock.now();
  }

  postmaster(): Postmaster {
    if (!this.attached) return { kind: 'unknown' };
    return postmasterOf(this.ports.guardian.state());
  }

  watchdogSituation(): WatchdogSituation {
    const { watchdog, policy } = this.ports.settings.current();
    const guardian = this.ports.guardian.state();
    const present = this.attached && guardian.kind === 'present' ? guardian : undefined;
    return {
      settings: watchdog,
      timing: policy.timing,
      prepared: this.preparedWatchdog,
      guarded: present?.armed !== undefined && present.armed.paused !== true,
      held: present?.watchdog,
    };
  }

  view(): View {
    return {
      now: this.now(),
      self: this.ports.settings.current().member.name,
      incarnation: this.incarnation,
      settings: this.ports.settings.current(),
      cluster: this.cluster,
      observation: this.observation,
      held: this.held,
      lapsedId: this.lapsedId,
      wonLateId: this.wonLateId,
      hostUnsavedAt: this.hostUnsavedAt,
      storeSilentSince: this.storeSilentSince,
      startedAt: this.startedAt,
      promised: this.promised,
      takeover: this.takeover,
      postmaster: this.postmaster(),
      guarded: this.attached ? guardedOf(this.ports.guardian.state()) : undefined,
      over: this.attached ? this.ports.guardian.state().over : undefined,
      probe: this.probe,
      answeredAt: this.answeredAt,
      aliveAt: this.aliveAt,
      silence: this.silence,
      newestBeat: this.newestBeat,
      directory: this.directory,
      disk: this.disk,
      job: this.job,
      lastJob: this.lastJob,
      canvass: this.canvass,
      diagnosis: this.diagnosis,
      sync: this.sync,
      brake: this.brake,
      watchdog: watchdogFacts(this.watchdogSituation()),
      host: this.host,
      command: this.command,
    };
  }
}

function guardedOf(state: GuardianState): Guarded | undefined {
  const armed = state.kind === 'present' ? state.armed : undefined;
  return armed && { leaseId: armed.leaseId, paused: armed.paused === true };
}

function postmasterOf(state: GuardianState): Postmaster {
  if (state.kind === 'absent') {
    if (state.foreign !== undefined) return { kind: 'foreign', pid: state.foreign.pid };
    return { kind: 'down', exitedAt: undefined, exitCause: undefined };
  }
  if (state.postmaster.kind === 'up') {
    return { kind: 'up', pid: state.postmaster.pid, startedAt: state.postmaster.startedAt };
  }
  const exit = state.postmaster.exit;
  return { kind: 'down', exitedAt: exit?.at, exitCause: exit?.cause };
}
