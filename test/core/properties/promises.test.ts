import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Member } from '../../../src/core/cluster.ts';
import {
  addVote,
  confirmList,
  NO_LIST,
  notePresence,
  sameList,
  unanimousUntil,
  votersOf,
  wantedList,
} from '../../../src/core/failsafe.ts';
import type { FailsafeList, ListState, Votes } from '../../../src/core/failsafe.ts';
import { waitMillis } from '../../../src/core/lease.ts';
import { isBound, judgePromise } from '../../../src/core/promise.ts';
import type { VoterFacts } from '../../../src/core/promise.ts';
import { instant, plus } from '../../../src/core/time.ts';
import { aLease, aMember, anEmptyRecord, present } from '../../harness/views.ts';

const NAMES = ['pg1', 'pg2', 'pg3', 'pg4'] as const;
const SELF = { name: 'pg1', apiUrl: 'http://pg1.example:8008/patroni' };
const list: fc.Arbitrary<FailsafeList> = fc
  .subarray([...NAMES])
  .map((names) => Object.fromEntries(names.map((name) => [name, `http://${name}:8008/patroni`])));
const clock = fc.integer({ min: 0, max: 100_000 }).map(instant);
const ttlMillis = fc.constantFrom(500, 3000, 30_000);
const leaseId = fc.constantFrom('g4', 'g5', 'g6');
const asked = fc
  .record({ leaseId, n: fc.integer({ min: 3, max: 7 }), ttlMillis })
  .map((question) => ({ ...question, reachMillis: Math.max(15_000, question.ttlMillis) }));
const promised = fc.option(
  fc
    .record({ leaseId, until: clock })
    .map((given) => ({ ...given, aloneUntil: plus(given.until, 12_000) })),
  { nil: undefined },
);
const rarely = <T, U>(of: fc.Arbitrary<T>, otherwise: U): fc.Arbitrary<T | U> =>
  fc.oneof({ weight: 1, arbitrary: of }, { weight: 5, arbitrary: fc.constant(otherwise) });
const voter: fc.Arbitrary<VoterFacts> = fc.record({
  now: clock,
  startedAt: rarely(clock, instant(-100_000)),
  holdsLeaseId: rarely(leaseId, undefined),
  takeoverUnresolved: rarely(fc.constant(true), false),
  floor: fc.record({
    n: fc.integer({ min: 1, max: 7 }),
    id: fc.option(leaseId, { nil: undefined }),
  }),
  promised,
  record: fc.constant(undefined),
});

describe('a promise', () => {
  test('binds for longer than the leader counts on it, whichever clock is the faster', () => {
    fc.assert(
      fc.property(voter, asked, (facts, question) => {
        const verdict = judgePromise(facts, question);
        if (verdict.kind === 'refused') return;
        const boundMillis = verdict.promised.until - facts.now;
        expect(boundMillis / 1.01).toBeGreaterThan(question.ttlMillis);
        expect(verdict.promised.leaseId).toBe(question.leaseId);
      }),
    );
  });

  test('is never shortened by another one', () => {
    fc.assert(
      fc.property(voter, asked, (facts, question) => {
        const verdict = judgePromise(facts, question);
        if (verdict.kind === 'refused') return;
        expect(verdict.promised.until).toBeGreaterThanOrEqual(facts.promised?.until ?? 0);
      }),
    );
  });

  test('is given only by who neither leads, nor asks to lead, nor knows of a newer leader, nor has just started', () => {
    fc.assert(
      fc.property(voter, asked, (facts, question) => {
        const leads = facts.holdsLeaseId !== undefined && facts.holdsLeaseId !== question.leaseId;
        const { floor } = facts;
        const another = floor.id !== undefined && floor.id !== question.leaseId;
        const newer = floor.n > question.n || (floor.n === question.n && another);
        const fresh = facts.now - facts.startedAt < waitMillis(question.ttlMillis);
        const may = !leads && !facts.takeoverUnresolved && !newer && !fresh;
        expect(judgePromise(facts, question).kind).toBe(may ? 'promised' : 'refused');
      }),
    );
  });

  test('binds until its end, and frees before it only when the very lease was released', () => {
    const released = { handoff: undefined, lsn: undefined, exclude: [] };
    fc.assert(
      fc.property(promised, leaseId, fc.boolean(), clock, (given, id, isReleased, now) => {
        const lease = present(aLease({ id, released: isReleased ? released : undefined }));
        const bound = isBound(given, anEmptyRecord({ lease }), now);
        const freed = isReleased && given?.leaseId === id;
        expect(bound).toBe(given !== undefined && now < given.until && !freed);
      }),
    );
  });
});

describe('promises together', () => {
  const votes: fc.Arbitrary<Votes> = fc.dictionary(fc.constantFrom(...NAMES), clock, {
    noNullPrototype: true,
  });

  test('reach no further than that of any single voter', () => {
    fc.assert(
      fc.property(list, votes, clock, (voters, given, alone) => {
        const until = unanimousUntil(voters, given, alone);
        if (until === undefined) return;
        for (const name of Object.keys(voters)) expect(given[name]).toBeGreaterThanOrEqual(until);
      }),
    );
  });

  test('are nothing while a single voter is silent', () => {
    fc.assert(
      fc.property(list, votes, clock, (voters, given, alone) => {
        const silent = Object.keys(voters).some((name) => given[name] === undefined);
        expect(unanimousUntil(voters, given, alone) === undefined).toBe(silent);
      }),
    );
  });

  test('count the latest answer of each, in whatever order the answers come', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...NAMES), clock)), (answers) => {
        const count = (those: typeof answers): Votes =>
          those.reduce<Votes>((all, [name, until]) => addVote(all, name, until), {});
        const counted = count(answers);
        expect(count(answers.toReversed())).toEqual(counted);
        for (const [name, until] of answers) expect(counted[name]).toBeGreaterThanOrEqual(until);
      }),
    );
  });
});

const member: fc.Arbitrary<Member> = fc
  .tuple(fc.constantFrom(...NAMES), fc.boolean())
  .map(([name, left]) =>
    aMember(name, left ? { state: 'stopped', role: 'uninitialized' } : { state: 'running' }),
  );
const members = fc.uniqueArray(member, { selector: ({ key }) => key.name });
const state: fc.Arbitrary<ListState> = fc
  .record({
    confirmed: fc.option(list, { nil: undefined }),
    sent: fc.array(list, { maxLength: 3 }),
    seen: fc.dictionary(fc.constantFrom(...NAMES), clock, { noNullPrototype: true }),
  })
  .map(({ confirmed, sent, seen }) => {
    const known = { ...NO_LIST, sent, lastSeen: seen };
    return confirmed === undefined ? known : confirmList(known, confirmed, instant(0));
  });

describe('the list of those who may take over', () => {
  test('always has the holder on it, and every member that is there', () => {
    fc.assert(
      fc.property(state, members, clock, (before, present, now) => {
        const wanted = wantedList(notePresence(before, present, now), present, SELF, now);
        const there = present
          .filter(({ key }) => key.state !== 'stopped')
          .map(({ key }) => key.name);
        expect(Object.keys(wanted)).toEqual(expect.arrayContaining([SELF.name, ...there]));
      }),
    );
  });

  test('is left by going in good order or by long absence, never by being away for a moment', () => {
    fc.assert(
      fc.property(state, members, clock, fc.nat(599_999), (before, present, at, awayMillis) => {
        const now = instant(at + awayMillis);
        const noted = notePresence(before, present, at);
        const left = present.filter(({ key }) => key.state === 'stopped');
        const gone = new Set(left.map(({ key }) => key.name));
        const stay = Object.keys(before.confirmed ?? {}).filter(
          (name) => !gone.has(name) && (noted.lastSeen[name] ?? 0) > now - 600_000,
        );
        expect(Object.keys(wantedList(noted, left, SELF, now))).toEqual(
          expect.arrayContaining(stay),
        );
      }),
    );
  });

  test('a list that may be in effect leaves nobody unasked but the holder itself', () => {
    fc.assert(
      fc.property(state, (lists) => {
        const may = [lists.confirmed ?? {}, ...lists.sent].flatMap((each) => Object.keys(each));
        const others = [...new Set(may)].filter((name) => name !== SELF.name);
        expect(Object.keys(votersOf(lists, SELF.name)).toSorted()).toEqual(others.toSorted());
      }),
    );
  });

  test('is the same in any order of its names, and another with any other name or address', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const sorted = (of: FailsafeList): string =>
          JSON.stringify(
            Object.keys(of)
              .toSorted()
              .map((name) => [name, of[name]]),
          );
        expect(sameList(a, b)).toBe(sorted(a) === sorted(b));
        expect(sameList(a, Object.fromEntries(Object.entries(a).toReversed()))).toBe(true);
      }),
    );
  });
});
