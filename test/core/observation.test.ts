import { describe, expect, test } from 'vitest';
import { ABSENT } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import { waitMillis } from '../../src/core/lease.ts';
import { leaseOverAt, observeLease } from '../../src/core/observation.ts';
import type { Observation } from '../../src/core/observation.ts';
import { instant, plus } from '../../src/core/time.ts';
import { aGeneration, aLease, aRecord, garbled, present, released } from '../harness/views.ts';

const at = (seconds: number) => instant(seconds * 1000);
const observe = (
  record: ClusterRecord,
  seconds: number,
  before?: Observation,
  ttlMillis = 3000,
): Observation => observeLease(before, record, at(seconds), ttlMillis);
const first = observe(aRecord(), 100);

describe('since when the record has not moved', () => {
  test('counts from the receipt of the first answer that showed it', () => {
    expect(first.seenAt).toBe(at(100));
    expect(observe(aRecord(), 101, first).seenAt).toBe(at(100));
    expect(observe(aRecord(), 900, observe(aRecord(), 101, first)).seenAt).toBe(at(100));
  });

  for (const [what, record] of [
    ['a heartbeat', aRecord({ lease: present(aLease({ beat: 8 }), 21) })],
    ['a new generation', aRecord({ generation: present(aGeneration({ n: 6 }), 22) })],
    ['a lease that was deleted', aRecord({ lease: ABSENT })],
    ['a lease that nobody can read any more', aRecord({ lease: garbled(23) })],
    ['an index that went back: a restored store', aRecord({ lease: present(aLease(), 19) })],
  ] as const) {
    test(`begins anew with ${what}`, () => {
      expect(observe(record, 102, first).seenAt).toBe(at(102));
    });
  }

  test('does not begin anew when other keys change', () => {
    const other = aRecord({ status: ABSENT, leader: ABSENT, config: ABSENT, members: [] });
    expect(observe(other, 102, first).seenAt).toBe(at(100));
  });

  test('begins anew with a key of the same index that changed hands from absent to present', () => {
    const empty = observe(aRecord({ lease: ABSENT }), 100);
    expect(observe(aRecord(), 103, empty).seenAt).toBe(at(103));
  });
});

describe('when the lease in the record is over', () => {
  test('after its own ttl, its drift and a margin', () => {
    const record = aRecord({ lease: present(aLease({ ttlMillis: 10_000 }), 20) });
    const observation = observe(record, 100);
    expect(leaseOverAt(observation, record, false)).toBe(plus(at(100), waitMillis(10_000)));
  });

  test('not after a longer ttl that is configured but not in the record', () => {
    const observation = observe(aRecord(), 100, undefined, 30_000);
    expect(leaseOverAt(observation, aRecord(), false)).toBe(plus(at(100), waitMillis(3000)));
  });

  for (const [what, lease] of [
    ['missing', ABSENT],
    ['unreadable', garbled(24)],
  ] as const) {
    test(`after the largest ttl ever read or configured when it is ${what}`, () => {
      const long = observe(aRecord({ lease: present(aLease({ ttlMillis: 20_000 }), 20) }), 90);
      const record = aRecord({ lease });
      const observation = observe(record, 100, observe(aRecord(), 95, long));
      expect(leaseOverAt(observation, record, false)).toBe(plus(at(100), waitMillis(20_000)));
    });
  }
});

test('a store that has lost the newest generation says nothing about the ttl that runs', () => {
  const long = observe(aRecord({ lease: present(aLease({ ttlMillis: 20_000 }), 20) }), 90);
  const restored = observe(aRecord({ lease: present(aLease(), 5) }), 100, long);
  expect(leaseOverAt(restored, aRecord(), true)).toBe(plus(at(100), waitMillis(20_000)));
  expect(leaseOverAt(restored, aRecord(), false)).toBe(plus(at(100), waitMillis(3000)));
});

describe('a release', () => {
  const record = aRecord({ lease: released() });

  test('is noted when it is first read', () => {
    expect(observe(record, 101, first).releasedAt).toBe(at(101));
    expect(observe(record, 105, observe(record, 101, first)).releasedAt).toBe(at(101));
  });

  test('is forgotten with the next lease', () => {
    expect(observe(aRecord(), 106, observe(record, 101, first)).releasedAt).toBeUndefined();
  });

  test('was not noted as long as there was none', () => {
    expect(first.releasedAt).toBeUndefined();
  });
});
