import * as fc from 'fast-check';
import { ABSENT } from '../../src/core/cluster.ts';
import type { ClusterRecord, Generation, Lease } from '../../src/core/cluster.ts';
import type { JobKind } from '../../src/core/job.ts';
import type { Memory } from '../../src/core/memory.ts';
import { observeLease } from '../../src/core/observation.ts';
import type { DataDirectory } from '../../src/core/postgres.ts';
import type { View } from '../../src/core/view.ts';
import { aWatchdog, someSettings, TTL_MILLIS } from './settings.ts';
import { commandOf } from './arbitrary-commands.ts';
import { signsOfLife } from './arbitrary-life.ts';
import * as sync from './arbitrary-sync.ts';
import {
  MEMBERS,
  maybe,
  rarely,
  name,
  identifier,
  position,
  timeline,
  promoted,
  number,
  index,
  age,
  before,
  around,
  systemIdentifier,
  slot,
} from './arbitrary-values.ts';
import {
  aDiagnosis,
  aGeneration,
  ago,
  aHeldLease,
  aHost,
  aLease,
  aMember,
  aMemory,
  aRecord,
  asked,
  aView,
  down,
  ended,
  garbled,
  leaderKey,
  noAnswer,
  observed,
  opinion,
  primary,
  silent,
  standby,
  withoutData,
} from './views.ts';

/**
 * Views worse than the world produces them: each part is drawn on its own, so that most of them
 * contradict each other.
 */
const generation: fc.Arbitrary<Generation> = fc
  .record({
    n: number,
    id: identifier,
    holder: name,
    timeline,
    switchLsn: position,
    ancestors: fc.array(fc.record({ id: identifier, timeline, switchLsn: position }), {
      maxLength: 2,
    }),
  })
  .map(aGeneration);

const release = fc.record({
  handoff: maybe(name),
  lsn: maybe(position),
  exclude: fc.subarray([...MEMBERS]),
});
const lease: fc.Arbitrary<Lease> = fc
  .record({
    id: identifier,
    n: number,
    beat: fc.integer({ min: 0, max: 9 }),
    ttlMillis: fc.constantFrom(TTL_MILLIS, 2 * TTL_MILLIS),
    paused: rarely(fc.constant(true)),
    released: rarely(release),
  })
  .map(aLease);

const member = fc
  .record({
    role: fc.constantFrom('primary', 'replica', 'uninitialized'),
    state: fc.constantFrom('running', 'starting', 'stopped'),
    connUrl: fc.constantFrom('postgres://h:5432/postgres', 'nonsense'),
    tags: fc.constantFrom({}, { clonefrom: true }),
  })
  .map((given) => given);

export const wildRecord: fc.Arbitrary<ClusterRecord> = fc
  .record({
    generation: slot(generation),
    lease: slot(lease),
    leader: fc.oneof(
      name.map((of) => leaderKey(of)),
      fc.constant(ABSENT),
      index.map(garbled),
    ),
    status: slot(position.map((optime) => ({ optime, slots: {}, retainSlots: [] }))),
    initialize: slot(fc.oneof(systemIdentifier, fc.constant(''))),
    failsafe: slot(
      fc.subarray([...MEMBERS]).map((of) => Object.fromEntries(of.map((n) => [n, n]))),
    ),
    sync: sync.syncSlot,
    members: fc
      .tuple(fc.subarray([...MEMBERS]), member, member, member)
      .map(([names, ...given]) => names.map((of, at) => aMember(of, given[at]))),
  })
  .map(aRecord);

const cluster: fc.Arbitrary<Partial<View>> = fc
  .tuple(wildRecord, age, maybe(wildRecord), fc.boolean())
  .map(([now, unchanged, earlier, known]) => {
    const first =
      earlier === undefined
        ? undefined
        : observeLease(undefined, earlier, ago(unchanged), TTL_MILLIS);
    const receivedAt = earlier === undefined ? ago(unchanged) : ago(unchanged / 2);
    const observation = observeLease(first, now, receivedAt, TTL_MILLIS);
    return { cluster: observed(now), observation: known ? observation : undefined };
  });

const facts = fc.record({
  timeline: promoted,
  receivedLsn: maybe(position),
  replayedLsn: maybe(position),
  flushLsn: maybe(position),
  receiverState: fc.constantFrom('streaming', undefined),
  synchronousStandbyNames: sync.syncNames,
  replication: sync.replicationRows,
  primaryConninfo: fc.constantFrom(undefined, '', 'host=h port=5432', 'host=x port=1'),
  systemIdentifier,
});
const control = fc.record({
  systemIdentifier,
  state: fc.constantFrom('shut down', 'shut down in recovery', 'in production', 'unrecognized'),
  timeline: promoted,
  checkpointLsn: position,
  rewindable: fc.boolean(),
} as const);
const unfinished: fc.Arbitrary<DataDirectory> = fc.record({
  kind: fc.constant('unfinished' as const),
  work: fc.constantFrom('clone', 'initialise', 'rewind'),
  systemIdentifier: fc.constant(undefined),
});
const unusable: DataDirectory = { kind: 'unusable', reason: 'a file', remedy: 'move it' };

const postgres: fc.Arbitrary<Partial<View>> = fc.oneof(
  facts.map((given) => standby(given)),
  facts.map((given) => primary(given)),
  age.map((millis) => silent(millis)),
  facts.map((given) => ({ ...standby(given), directory: undefined })),
  fc
    .tuple(control, fc.constantFrom('exited', 'stopped', 'fenced'))
    .map(([given, cause]) => down(given, cause)),
  unfinished.map((directory) => withoutData(directory)),
  fc.constantFrom<Partial<View>>(
    withoutData(),
    withoutData(unusable),
    { postmaster: { kind: 'foreign', pid: 7 } },
    { postmaster: { kind: 'unknown' } },
  ),
);

const JOBS: readonly JobKind[] = [
  'start',
  'stop',
  'promote',
  'initialise',
  'finish-bootstrap',
  'clone',
  'rewind',
  'diagnose',
  'checkpoint',
  'set-aside',
];
const job = fc.constantFrom(...JOBS);
const code = fc.constantFrom('lease-short', 'postgres-rewind-not-begun', 'any-other');

const opinions = fc
  .tuple(fc.constantFrom('pg1', 'pg3'), maybe(number), maybe(position))
  .chain(([of, seen, at]) =>
    fc
      .record({
        role: fc.constantFrom('primary', 'standby', 'unknown' as const),
        state: fc.constantFrom('running', 'starting'),
        systemIdentifier: maybe(systemIdentifier),
        timeline: maybe(promoted),
        beat: fc.integer({ min: 0, max: 9 }),
        able: fc.boolean(),
        holds: fc.boolean(),
        age: maybe(fc.constantFrom(0, 20, 400)),
        priority: fc.integer({ min: 0, max: 2 }),
      })
      .map((given) =>
        seen === undefined
          ? noAnswer(of)
          : opinion(of, {
              role: given.role,
              state: given.state,
              systemIdentifier: given.systemIdentifier,
              timeline: given.timeline,
              lsn: at,
              lsnAgeMillis: given.age,
              highestGeneration: { n: seen, id: undefined },
              newestBeat: { id: 'g5', beat: given.beat },
              holdsLease: given.holds ? { id: 'g5', n: 5 } : undefined,
              canTakeOver: { able: given.able, why: 'says so' },
              failoverPriority: given.priority,
            }),
      ),
  );
const canvass: fc.Arbitrary<Partial<View>> = fc
  .tuple(fc.array(opinions, { maxLength: 2 }), before, maybe(before))
  .map(([given, askedAt, finishedAt]) => ({
    ...asked(...given),
    canvass: { askedAt, finishedAt, opinions: given },
  }));

const settings = fc
  .record({
    mayBootstrap: fc.boolean(),
    nofailover: fc.boolean(),
    useSlots: fc.boolean(),
    usePgRewind: fc.boolean(),
    reclone: fc.boolean(),
    pause: rarely(fc.constant(true)),
    patience: fc.constantFrom(0, 300_000),
    synchronous: sync.synchronousPolicy,
    watchdog: rarely(fc.constantFrom('required', 'automatic' as const)),
  })
  .map((given) =>
    someSettings({
      mayBootstrap: given.mayBootstrap,
      tags: { nofailover: given.nofailover },
      watchdog: given.watchdog && aWatchdog(given.watchdog),
      timing: { primaryStartTimeoutMillis: given.patience },
      policy: {
        useSlots: given.useSlots,
        pause: given.pause ?? false,
        synchronous: given.synchronous,
        usePgRewind: given.usePgRewind,
        recloneOnDivergence: given.reclone,
        recloneOnRewindFailure: given.reclone,
      },
    }),
  );

const self: fc.Arbitrary<Partial<View>> = fc
  .record({
    settings,
    held: maybe(
      fc.record({
        id: identifier,
        n: number,
        end: around,
        paused: fc.boolean(),
        release: rarely(release),
        amnesia: fc.boolean(),
      }),
    ),
    guarded: maybe(fc.record({ leaseId: identifier, paused: fc.boolean() })),
    lapsedId: maybe(identifier),
    over: maybe(identifier),
    wonLateId: maybe(identifier),
    hostUnsavedAt: maybe(before),
    storeSilentSince: maybe(before),
    ...signsOfLife,
    newestBeat: maybe(fc.record({ id: identifier, beat: fc.integer({ min: 0, max: 9 }) })),
    promised: rarely(fc.record({ leaseId: identifier, until: around, aloneUntil: around })),
    takeover: rarely(
      fc.record({ id: identifier, sentAt: before, unanswered: fc.constant(undefined) }),
    ),
    job: rarely(job.map((kind) => ({ kind, startedAt: ago(100), progress: undefined }))),
    lastJob: maybe(
      fc.tuple(job, fc.boolean()).map(([kind, failed]) => ended(kind, failed ? 'why' : undefined)),
    ),
    command: rarely(commandOf(MEMBERS, before)),
    watchdog: fc.constantFrom<View['watchdog']>(
      undefined,
      { kind: 'unknown' },
      { kind: 'ready' },
      { kind: 'open' },
      { kind: 'unusable', why: 'it is gone', remedy: undefined },
    ),
    sync: sync.syncFacts,
    remembered: sync.rememberedSync,
    pausedSeen: rarely(fc.record({ n: number, id: identifier, beat: number })),
    startedAt: before,
    floor: number,
    promotion: rarely(fc.record({ id: identifier, timeline: promoted, switchLsn: position })),
    founding: maybe(systemIdentifier),
    diagnosis: maybe(
      fc.record({
        at: before,
        sourceName: name,
        generationId: identifier,
        own: fc.record({ timeline: promoted, endLsn: maybe(position) }),
        walAvailable: fc.constantFrom('yes', 'no', 'unknown' as const),
      }),
    ),
  })
  .map(({ held, floor, promotion, founding, diagnosis, remembered, pausedSeen, ...rest }) => ({
    ...rest,
    held: held === undefined ? undefined : aHeldLease(held),
    diagnosis: diagnosis === undefined ? undefined : aDiagnosis(diagnosis),
    host: aHost({
      floor: { n: floor, id: undefined },
      promotions: promotion === undefined ? [] : [promotion],
      founding,
      sync: remembered,
      paused: pausedSeen,
    }),
  }));

const unread: Partial<View> = { cluster: undefined, observation: undefined };

export const wildView: fc.Arbitrary<View> = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: cluster }, { weight: 1, arbitrary: fc.constant(unread) }),
    postgres,
    self,
    fc.oneof(canvass, fc.constant<Partial<View>>({ canvass: undefined })),
  )
  .map((parts) => aView(...parts));

export const wildMemory: fc.Arbitrary<Memory> = fc
  .record({
    handover: rarely(
      fc.record({
        commandId: fc.constant(9),
        candidate: maybe(name),
        reason: fc.constantFrom('switchover', 'failover', 'shutdown' as const),
        since: before,
        drainedAt: maybe(before),
        checkpointed: fc.boolean(),
      }),
    ),
    crashes: fc.array(before, { maxLength: 5 }),
    abstain: rarely(fc.record({ until: around, forMillis: fc.constantFrom(3000, 60_000) })),
    deferral: maybe(fc.record({ to: name, since: before, observedAt: before })),
    failures: rarely(
      fc.record({
        kind: job,
        count: fc.integer({ min: 1, max: 12 }),
        lastAt: before,
        code,
        under: maybe(identifier),
      }),
    ),
    rewindUnder: maybe(identifier),
    restart: rarely(fc.record({ commandId: fc.constant(9), since: before, stopped: fc.boolean() })),
    reclone: rarely(
      fc.record({ since: before, why: fc.constant('asked'), fromLeader: fc.boolean() }),
    ),
    notStreamingSince: maybe(before),
    gaveBackAt: rarely(before),
    manual: rarely(
      fc.record({ what: fc.constantFrom('hand-over', 'reinitialize' as const), since: before }),
    ),
    upstream: fc.constantFrom(undefined, 'pg1@h:5432/pg2'),
    syncNames: sync.syncNamesSeen,
  })
  .map(aMemory);
