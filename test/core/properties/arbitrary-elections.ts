import * as fc from 'fast-check';
import { ABSENT } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { Memory } from '../../../src/core/memory.ts';
import { observeLease } from '../../../src/core/observation.ts';
import { plus } from '../../../src/core/time.ts';
import type { View } from '../../../src/core/view.ts';
import { someSettings, TTL_MILLIS } from '../../harness/settings.ts';
import {
  aGeneration,
  ago,
  ahead,
  aHost,
  aLease,
  aMemory,
  anEmptyRecord,
  aRecord,
  aView,
  END,
  garbled,
  leaderKey,
  noAnswer,
  observed,
  opinion,
  present,
  SELF,
  standby,
} from '../../harness/views.ts';

/**
 * Moments of an election: a standby, a leader that may be gone, and everything that bears on whether
 * this member may take over, drawn close to the bounds. About a third of them lead to a takeover.
 */
const rarely = <T, U>(of: fc.Arbitrary<T>, otherwise: U): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 1, arbitrary: of }, { weight: 7, arbitrary: fc.constant(otherwise) });
const mostly = <T, U>(likely: U, of: fc.Arbitrary<T>): fc.Arbitrary<T | U> => rarely(of, likely);

const WAIT_MILLIS = TTL_MILLIS * 1.01 + 50;
const unchangedMillis = fc.constantFrom(
  0,
  900,
  1100,
  TTL_MILLIS,
  WAIT_MILLIS - 1,
  WAIT_MILLIS,
  WAIT_MILLIS + 40,
  2 * WAIT_MILLIS,
  60_000,
);
const position = fc.constantFrom(END - 2_000_000n, END - 1n, END, END + 1n).map(lsn);
const member = fc.constantFrom('pg1', SELF, 'pg3');
const release = fc.record({
  handoff: fc.constantFrom(undefined, SELF, 'pg3'),
  lsn: fc.option(position, { nil: undefined }),
  exclude: rarely(fc.constant([SELF]), []),
});

const report = fc.record({
  role: fc.constantFrom('standby' as const, 'unknown' as const),
  state: mostly('running', fc.constant('starting')),
  timeline: mostly(3, fc.constantFrom(undefined, 2, 4)),
  lsn: fc.option(position, { nil: undefined, freq: 6 }),
  highestGeneration: mostly(
    { n: 5, id: 'g5' },
    fc.constantFrom({ n: 4, id: undefined }, { n: 6, id: 'g6' }),
  ),
  newestBeat: mostly(
    { id: 'g5', beat: 7 },
    fc.constantFrom(undefined, { id: 'g5', beat: 8 }, { id: 'g4', beat: 99 }),
  ),
  holdsLease: rarely(fc.constant({ id: 'g5', n: 5 }), undefined),
  canTakeOver: fc.boolean().map((able) => ({ able, why: 'says so' })),
  failoverPriority: fc.integer({ min: 0, max: 2 }),
});
const opinions = fc.tuple(
  ...(['pg1', 'pg3'] as const).map((name) =>
    fc
      .option(report, { nil: undefined, freq: 3 })
      .map((said) => (said === undefined ? noAnswer(name) : opinion(name, said))),
  ),
);
const canvass = fc
  .tuple(
    opinions,
    fc.constantFrom(0, 20, 300, 5000),
    fc.option(fc.constantFrom(0, 20, 1001), { nil: undefined, freq: 8 }),
  )
  .map(([given, askedMillis, finishedMillis]) => ({
    askedAt: ago(askedMillis),
    finishedAt: finishedMillis === undefined ? undefined : ago(finishedMillis),
    opinions: given,
  }));

const aRecordOfAnElection = fc
  .record({
    lease: fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.option(release, { nil: undefined, freq: 2 }),
            mostly(TTL_MILLIS, fc.constant(2 * TTL_MILLIS)),
            mostly('g5', fc.constant('g4')),
          )
          .map(([released, ttlMillis, id]) => present(aLease({ id, ttlMillis, released }), 20)),
      },
      { weight: 1, arbitrary: fc.constantFrom(ABSENT, garbled(20)) },
    ),
    leader: fc.oneof(fc.constant(ABSENT), fc.constantFrom('pg1', SELF, 'pg9').map(leaderKey)),
    generation: mostly(
      present(aGeneration(), 15),
      fc.constantFrom(
        ABSENT,
        garbled(15),
        present(aGeneration({ timeline: 0 }), 15),
        present(aGeneration({ holder: SELF }), 15),
      ),
    ),
    failsafe: mostly(
      ABSENT,
      fc.constantFrom(present({}), present({ pg1: 'u' }), present({ pg1: 'u', [SELF]: 'u' })),
    ),
    wiped: rarely(fc.constant(true), false),
  })
  .map(({ wiped, ...keys }) => (wiped ? anEmptyRecord() : aRecord(keys)));

const observation = fc
  .tuple(aRecordOfAnElection, unchangedMillis, rarely(aRecordOfAnElection, undefined))
  .map(([now, unchanged, earlier]): Partial<View> => {
    const first =
      earlier === undefined
        ? undefined
        : observeLease(undefined, earlier, ago(2 * unchanged), TTL_MILLIS);
    return {
      cluster: observed(now),
      observation: observeLease(first, now, ago(unchanged), TTL_MILLIS),
    };
  });

const own = fc
  .record({
    timeline: mostly(3, fc.constantFrom(2, 4)),
    receivedLsn: position,
    nofailover: rarely(fc.constant(true), false),
    lapsedId: rarely(fc.constant('g5'), undefined),
    promised: rarely(
      fc.tuple(fc.constantFrom('g4', 'g5'), fc.constantFrom(ago(1), ahead(1), ahead(900))),
      undefined,
    ),
    pending: rarely(fc.constant(true), false),
    floor: mostly(5, fc.constantFrom(4, 6)),
    followed: mostly('g5', fc.constantFrom('g4', 'g9')),
    newestBeat: fc.constantFrom(undefined, { id: 'g5', beat: 7 }, { id: 'g5', beat: 8 }),
  })
  .map((given): Partial<View> => ({
    ...standby({ timeline: given.timeline, receivedLsn: given.receivedLsn }),
    settings: someSettings({ tags: { nofailover: given.nofailover } }),
    lapsedId: given.lapsedId,
    promised:
      given.promised === undefined
        ? undefined
        : {
            leaseId: given.promised[0],
            until: given.promised[1],
            aloneUntil: plus(given.promised[1], 12_000),
          },
    takeover: given.pending ? { id: 'x', sentAt: ago(40), unanswered: undefined } : undefined,
    newestBeat: given.newestBeat,
    host: aHost({
      floor: { n: given.floor, id: undefined },
      followed: { id: given.followed, timeline: 3 },
    }),
  }));

export const electionView: fc.Arbitrary<View> = fc
  .tuple(observation, own, fc.option(canvass, { nil: undefined, freq: 8 }))
  .map(([seen, self, heard]) => aView(seen, self, { canvass: heard }));

export const electionMemory: fc.Arbitrary<Memory> = fc
  .record({
    abstain: rarely(
      fc.constantFrom(ago(1), ahead(1)).map((until) => ({ until, forMillis: 3000 })),
      undefined,
    ),
    deferral: fc.option(
      fc.record({
        to: member,
        since: fc.constantFrom(ago(1), ago(1999), ago(2000)),
        observedAt: unchangedMillis.map((millis) => ago(millis)),
      }),
      { nil: undefined, freq: 3 },
    ),
  })
  .map(aMemory);
