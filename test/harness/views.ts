import { ABSENT } from '../../src/core/cluster.ts';
import type {
  ClusterRecord,
  Generation,
  Lease,
  LeaderKey,
  Member,
  MemberKey,
  Release,
  Slot,
} from '../../src/core/cluster.ts';
import type { JobKind, JobOutcome } from '../../src/core/job.ts';
import type { HeldLease } from '../../src/core/lease.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { Lsn } from '../../src/core/lsn.ts';
import { NO_MEMORY } from '../../src/core/memory.ts';
import type { Memory } from '../../src/core/memory.ts';
import { observeLease } from '../../src/core/observation.ts';
import type { Observation } from '../../src/core/observation.ts';
import type {
  ControlData,
  DataDirectory,
  Observed,
  ProbeAnswer,
  ServerFacts,
  Upstream,
} from '../../src/core/postgres.ts';
import { failure } from '../../src/core/result.ts';
import { NO_SYNC_FACTS } from '../../src/core/sync-facts.ts';
import { instant } from '../../src/core/time.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import type {
  Diagnosis,
  HostMemory,
  PeerOpinion,
  PendingCommand,
  View,
} from '../../src/core/view.ts';
import { someSettings, TTL_MILLIS } from './settings.ts';

/**
 * Views to decide on. Unless told otherwise: member `pg2`, a standby that streams from the leader
 * `pg1` of generation 5, on timeline 3, with `pg3` beside it; everybody was heard of just now.
 */
export const NOW: Instant = instant(1_000_000);
export const ago = (millis: Millis): Instant => instant(NOW - millis);
export const ahead = (millis: Millis): Instant => instant(NOW + millis);

export const SELF = 'pg2';
export const SYSTEM = '7710733172458067259';
/** Where timeline 3 of the cluster began, and where its log ends. */
export const SWITCH: Lsn = lsn(0x3000000n);
export const END: Lsn = lsn(0x5000000n);
const STARTED_AGO_MILLIS: Millis = 600_000;

export const present = <T>(value: T, index = 10): Slot<T> => ({ kind: 'present', index, value });
export const garbled = (index = 10): Slot<never> => ({
  kind: 'garbled',
  index,
  reason: 'no JSON',
});

export const observed = <T>(value: T, millisAgo: Millis = 10): Observed<T> => ({
  value,
  askedAt: ago(millisAgo + 1),
  receivedAt: ago(millisAgo),
});

export const aGeneration = (given: Partial<Generation> = {}): Generation => ({
  n: 5,
  id: 'g5',
  holder: 'pg1',
  timeline: 3,
  switchLsn: SWITCH,
  ancestors: [{ id: 'g4', timeline: 2, switchLsn: lsn(0x2000000n) }],
  ...given,
});

export const aLease = (given: Partial<Lease> = {}): Lease => ({
  id: 'g5',
  n: 5,
  incarnation: 'one',
  beat: 7,
  ttlMillis: TTL_MILLIS,
  released: undefined,
  ...given,
});

export const released = (given: Partial<Release> = {}): Slot<Lease> =>
  present(aLease({ released: { handoff: undefined, lsn: END, exclude: [], ...given } }), 21);

export const aMember = (name: string, given: Partial<MemberKey> = {}): Member => ({
  key: {
    name,
    connUrl: `postgres://${name}.example:5432/postgres`,
    apiUrl: `http://${name}.example:8008/patroni`,
    state: 'running',
    role: 'replica',
    version: '0.1.0',
    timeline: 3,
    ...given,
  },
  index: 30,
  session: `session-of-${name}`,
});

export const upstream = (name: string): Upstream => ({ name, host: `${name}.example`, port: 5432 });
export const leaderKey = (member: string): Slot<LeaderKey> =>
  present({ member, session: `session-of-${member}` }, 11);

/** The keys of a healthy cluster led by pg1. */
export const aRecord = (given: Partial<ClusterRecord> = {}): ClusterRecord => ({
  generation: present(aGeneration(), 15),
  lease: present(aLease(), 20),
  leader: leaderKey('pg1'),
  status: present({ optime: END, slots: {}, retainSlots: [] }, 20),
  initialize: present(SYSTEM, 3),
  config: present({}, 4),
  failover: ABSENT,
  history: ABSENT,
  sync: ABSENT,
  failsafe: ABSENT,
  members: [aMember('pg1', { role: 'primary' }), aMember('pg2'), aMember('pg3')],
  ...given,
});

/** Nothing but members: a new or a wiped store. */
export const anEmptyRecord = (given: Partial<ClusterRecord> = {}): ClusterRecord =>
  aRecord({
    generation: ABSENT,
    lease: ABSENT,
    leader: ABSENT,
    status: ABSENT,
    initialize: ABSENT,
    config: ABSENT,
    members: [],
    ...given,
  });

/** Led by the member that decides. */
export const ownRecord = (given: Partial<ClusterRecord> = {}): ClusterRecord =>
  aRecord({
    generation: present(aGeneration({ holder: SELF }), 15),
    leader: leaderKey(SELF),
    members: [aMember('pg1'), aMember(SELF, { role: 'primary' }), aMember('pg3')],
    ...given,
  });

export const anObservation = (record: ClusterRecord, unchangedMillis: Millis): Observation =>
  observeLease(undefined, record, ago(unchangedMillis), TTL_MILLIS);

/** A record, as a follower has seen it unchanged for so long. */
export const seen = (record: ClusterRecord, unchangedMillis: Millis): Partial<View> => ({
  cluster: observed(record),
  observation: anObservation(record, unchangedMillis),
});

/** Longer than any lease in these tests, on any clock. */
export const SILENCE_MILLIS: Millis = 10 * TTL_MILLIS;

export const someFacts = (given: Partial<ServerFacts> = {}): ServerFacts => ({
  inRecovery: true,
  timeline: 3,
  flushLsn: undefined,
  receivedLsn: END,
  replayedLsn: END,
  replayedAt: undefined,
  replayPaused: false,
  receiverState: 'streaming',
  receiverUpstream: 'pg1.example:5432',
  receiverTimeline: 3,
  latestEndLsn: END,
  primaryConninfo: undefined,
  serverVersionNumber: 150020,
  postmasterStartedAt: '2026-01-31 12:00:00+00',
  systemIdentifier: SYSTEM,
  replication: [],
  slots: [],
  synchronousStandbyNames: '',
  pendingRestart: {},
  ...given,
});

export const someControl = (given: Partial<ControlData> = {}): ControlData => ({
  systemIdentifier: SYSTEM,
  state: 'shut down in recovery',
  timeline: 3,
  checkpointLsn: END,
  redoLsn: END,
  minimumRecoveryLsn: END,
  minimumRecoveryTimeline: 3,
  rewindable: true,
  ...given,
});

const aDirectory = (control: Partial<ControlData>): DataDirectory => ({
  kind: 'cluster',
  majorVersion: 15,
  control: someControl(control),
  standbySignal: true,
  backupLabel: false,
});

const up = (startedMillisAgo: Millis, answer: ProbeAnswer): Partial<View> => ({
  postmaster: { kind: 'up', pid: 4242, startedAt: ago(startedMillisAgo) },
  probe: observed(answer, 5),
  answeredAt: answer.kind === 'answered' ? ago(10) : undefined,
  aliveAt: ago(5),
  directory: observed(aDirectory({ state: 'in archive recovery' })),
});

const answers = (facts: ServerFacts): Partial<View> =>
  up(STARTED_AGO_MILLIS, { kind: 'answered', facts, tookMillis: 2 });

export const standby = (given: Partial<ServerFacts> = {}): Partial<View> =>
  answers(someFacts(given));

export const primary = (given: Partial<ServerFacts> = {}): Partial<View> =>
  answers(
    someFacts({
      inRecovery: false,
      flushLsn: END,
      receivedLsn: undefined,
      replayedLsn: undefined,
      receiverState: undefined,
      ...given,
    }),
  );

/** The postmaster runs, and the server has not said yet what it is. */
export const silent = (startedMillisAgo: Millis = 1000): Partial<View> =>
  up(startedMillisAgo, { kind: 'not-accepting', reason: 'the database system is starting up' });

export const down = (control: Partial<ControlData> = {}, exitCause = 'stopped'): Partial<View> => ({
  postmaster: { kind: 'down', exitedAt: ago(50), exitCause },
  probe: undefined,
  directory: observed(aDirectory(control)),
});

export const withoutData = (directory: DataDirectory = { kind: 'absent' }): Partial<View> => ({
  postmaster: { kind: 'down', exitedAt: undefined, exitCause: undefined },
  probe: undefined,
  directory: observed(directory),
});

export const aHeldLease = (given: Partial<HeldLease> = {}): HeldLease => ({
  id: 'g5',
  n: 5,
  end: ahead(2500),
  paused: false,
  pauseConfirmed: false,
  ttlInForceMillis: TTL_MILLIS,
  ttlConfirmedMillis: TTL_MILLIS,
  reachMillis: TTL_MILLIS,
  generationIndex: 15,
  leaseIndex: 20,
  beat: 7,
  sent: [],
  wonAt: ago(60_000),
  confirmedAt: ago(500),
  begunAt: ago(60_000),
  renewedAt: ago(500),
  confirmedBeat: 7,
  ttlForgottenMillis: undefined,
  vouched: true,
  predecessor: undefined,
  release: undefined,
  amnesia: false,
  ...given,
});

export const aHost = (given: Partial<HostMemory> = {}): HostMemory => ({
  floor: { n: 5, id: 'g5' },
  promotions: [],
  followed: { id: 'g5', timeline: 3 },
  systemIdentifier: SYSTEM,
  founding: undefined,
  ...given,
});

/** The member that decides holds the lease, the record says so, and it has promoted under it. */
export function holding(given: Partial<HeldLease> = {}): Partial<View> {
  const held = aHeldLease(given);
  return {
    ...seen(ownRecord(), 500),
    held,
    guarded: { leaseId: held.id, paused: held.paused },
    host: aHost({ promotions: [{ id: 'g5', timeline: 3, switchLsn: SWITCH }] }),
  };
}

/** It held the lease, and on its own clock that is over. */
export const lapsed = (): Partial<View> => holding({ end: ago(1) });

type Report = NonNullable<PeerOpinion['report']>;

export const opinion = (name: string, given: Partial<Report> = {}): PeerOpinion => ({
  name,
  report: {
    role: 'standby',
    state: 'running',
    systemIdentifier: SYSTEM,
    timeline: 3,
    lsn: END,
    highestGeneration: { n: 5, id: 'g5' },
    newestBeat: { id: 'g5', beat: 7 },
    holdsLease: undefined,
    canTakeOver: { able: true, why: 'timeline 3, 0/5000000' },
    failoverPriority: 1,
    ...given,
  },
});

export const noAnswer = (name: string): PeerOpinion => ({ name, report: undefined });

/** All members have been asked, just now. */
export const asked = (...opinions: readonly PeerOpinion[]): Partial<View> => ({
  canvass: { askedAt: ago(30), finishedAt: ago(10), opinions },
});

type CommandGiven<K> = K extends PendingCommand ? Omit<K, 'id' | 'at'> : never;

export const command = (
  given: CommandGiven<PendingCommand>,
  millisAgo: Millis = 40,
): Partial<View> => ({ command: { ...given, id: 9, at: ago(millisAgo) } });

export const aDiagnosis = (given: Partial<Diagnosis> = {}): Diagnosis => ({
  at: ago(20),
  sourceName: 'pg1',
  generationId: 'g5',
  own: { timeline: 3, endLsn: END },
  source: {
    systemIdentifier: SYSTEM,
    timeline: 3,
    switches: [
      { parent: 1, switchLsn: lsn(0x2000000n), reason: '' },
      { parent: 2, switchLsn: SWITCH, reason: '' },
    ],
  },
  walAvailable: 'yes',
  why: undefined,
  ...given,
});

export const running = (kind: JobKind): Partial<View> => ({
  job: { kind, startedAt: ago(100), progress: undefined },
});

export const ended = (kind: JobKind, failed?: string): JobOutcome => ({
  kind,
  startedAt: ago(500),
  endedAt: ago(5),
  failure: failed === undefined ? undefined : failure('test', failed),
});

/** One View out of parts; a later part wins over an earlier one. */
export function aView(...parts: readonly Partial<View>[]): View {
  const base: View = {
    now: NOW,
    self: SELF,
    incarnation: 'two',
    startedAt: ago(STARTED_AGO_MILLIS),
    settings: someSettings(),
    cluster: undefined,
    observation: undefined,
    held: undefined,
    lapsedId: undefined,
    wonLateId: undefined,
    hostUnsavedAt: undefined,
    storeSilentSince: undefined,
    promised: undefined,
    takeover: undefined,
    postmaster: { kind: 'unknown' },
    probe: undefined,
    answeredAt: undefined,
    aliveAt: undefined,
    silence: undefined,
    newestBeat: undefined,
    directory: undefined,
    disk: undefined,
    job: undefined,
    lastJob: undefined,
    canvass: undefined,
    diagnosis: undefined,
    sync: { ...NO_SYNC_FACTS, told: { names: undefined, at: ago(STARTED_AGO_MILLIS) } },
    host: aHost(),
    command: undefined,
  };
  return Object.assign({}, base, seen(aRecord(), 200), standby(), ...parts) as View;
}

/** Nothing is remembered but that Postgres follows pg1. */
export const aMemory = (given: Partial<Memory> = {}): Memory => ({
  ...NO_MEMORY,
  upstream: 'pg1@pg1.example:5432/pg2',
  ...given,
});
