import { describe, expect, test } from 'vitest';
import { waitMillis } from '../../src/core/lease.ts';
import { isBound, judgePromise } from '../../src/core/promise.ts';
import type { VoterFacts } from '../../src/core/promise.ts';
import { instant, plus } from '../../src/core/time.ts';
import { aLease, aRecord, present, released } from '../harness/views.ts';

const now = instant(100_000);
const asked = { leaseId: 'g5', n: 5, ttlMillis: 3000, reachMillis: 15_000 };
const until = plus(now, waitMillis(3000));
const aloneUntil = plus(now, waitMillis(15_000));
const voter = (given: Partial<VoterFacts> = {}): VoterFacts => ({
  now,
  startedAt: instant(0),
  holdsLeaseId: undefined,
  takeoverUnresolved: false,
  floor: { n: 5, id: 'g5' },
  promised: undefined,
  record: aRecord(),
  ...given,
});

describe('a member asked to hold back', () => {
  test('promises for the ttl, and alone for the reach, their drift and a margin, from receipt', () => {
    expect(judgePromise(voter(), asked)).toEqual({
      kind: 'promised',
      promised: { leaseId: 'g5', until, aloneUntil },
    });
  });

  const refusals: readonly (readonly [string, Partial<VoterFacts>, RegExp])[] = [
    ['holds another lease', { holdsLeaseId: 'g6' }, /Running as a leader/],
    ['does not know how its own takeover ended', { takeoverUnresolved: true }, /not settled/],
    ['has seen a newer generation', { floor: { n: 6, id: 'g6' } }, /generation 6/],
    ['knows the number as that of another', { floor: { n: 5, id: 'other' } }, /another's/],
    [
      'has just started and forgotten what it promised',
      { startedAt: instant(now - waitMillis(3000) + 1) },
      /just started/,
    ],
  ];
  for (const [title, given, why] of refusals) {
    test(`refuses when it ${title}`, () => {
      const verdict = judgePromise(voter(given), asked);
      expect(verdict).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
    });
  }

  test('promises again after a full wait since its start', () => {
    const facts = voter({ startedAt: instant(now - waitMillis(3000)) });
    expect(judgePromise(facts, asked).kind).toBe('promised');
  });

  test('promises to a generation above all it has seen', () => {
    expect(judgePromise(voter({ floor: { n: 4, id: 'g4' } }), asked).kind).toBe('promised');
  });

  test('promises to a generation of which it knows the number alone', () => {
    expect(judgePromise(voter({ floor: { n: 5, id: undefined } }), asked).kind).toBe('promised');
  });

  test('never shortens what it promised before', () => {
    const later = plus(aloneUntil, 5000);
    const verdict = judgePromise(
      voter({ promised: { leaseId: 'g4', until: later, aloneUntil: later } }),
      asked,
    );
    expect(verdict).toEqual({
      kind: 'promised',
      promised: { leaseId: 'g5', until: later, aloneUntil: later },
    });
  });
});

describe('a promise', () => {
  const promised = { leaseId: 'g5', until, aloneUntil };

  test('binds until its end, to the millisecond', () => {
    expect(isBound(promised, aRecord(), instant(until - 1))).toBe(true);
    expect(isBound(promised, aRecord(), until)).toBe(false);
  });

  test('binds when Consul is back, and when it is not', () => {
    expect(isBound(promised, aRecord(), now)).toBe(true);
    expect(isBound(promised, undefined, now)).toBe(true);
  });

  test('ends with the release of the lease it was given to', () => {
    expect(isBound(promised, aRecord({ lease: released() }), now)).toBe(false);
  });

  test('does not end with the release of another lease', () => {
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    const lease = present(aLease({ id: 'g4', released: release }));
    expect(isBound(promised, aRecord({ lease }), now)).toBe(true);
  });

  test('that was never given does not bind', () => {
    expect(isBound(undefined, aRecord(), now)).toBe(false);
  });
});
