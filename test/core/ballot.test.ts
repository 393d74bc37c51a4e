import { describe, expect, test } from 'vitest';
import { castVote, countPromises, EMPTY_BALLOT, majorityUntil } from '../../src/core/ballot.ts';
import type { Ballot } from '../../src/core/ballot.ts';
import { brakeWish } from '../../src/core/brake.ts';
import { NO_LIST } from '../../src/core/failsafe.ts';
import type { FailsafeList, Votes } from '../../src/core/failsafe.ts';
import { instant } from '../../src/core/time.ts';
import type { Instant } from '../../src/core/time.ts';
import { aHeldLease } from '../harness/views.ts';

const at = (seconds: number) => instant(seconds * 1000);
const listOf = (...names: readonly string[]): FailsafeList =>
  Object.fromEntries(names.map((name) => [name, `http://${name}`]));
const THREE = listOf('pg1', 'pg2', 'pg3');
const FIVE = listOf('pg1', 'pg2', 'pg3', 'pg4', 'pg5');
const ballot = (votes: Votes, ...hearing: readonly string[]): Ballot => ({
  votes,
  hearing: new Set(hearing),
  ttlMillis: 3000,
  strayMillis: 12_000,
});
const until = (votes: Votes, lists = [THREE], recorded: Instant | 'unknown' = at(115)) =>
  majorityUntil(ballot(votes), lists, 'pg1', recorded === 'unknown' ? undefined : recorded);

describe('the promises of most', () => {
  test('last as long as theirs, when one of three is silent', () => {
    expect(until({ pg2: at(104) })).toBe(at(104));
  });

  test('are none without a promise, and none of a pair', () => {
    expect(until({})).toBeUndefined();
    expect(until({}, [listOf('pg1', 'pg2')])).toBeUndefined();
  });

  test('are no less than more than half, the holder among them', () => {
    expect(until({ pg2: at(104) }, [FIVE])).toBeUndefined();
    expect(until({ pg2: at(104), pg3: at(105) }, [FIVE])).toBe(at(104));
    expect(until({ pg2: at(104) }, [listOf('pg1', 'pg2', 'pg3', 'pg4')])).toBeUndefined();
  });

  test('are those of the longest, where more than enough have promised', () => {
    expect(until({ pg2: at(104), pg3: at(105), pg4: at(101) }, [FIVE])).toBe(at(104));
  });

  test('end when the silent one may go alone: by the record, if it never promised', () => {
    expect(until({ pg2: at(116) })).toBe(at(115));
  });

  test('and by its own promise, if that lasts longer', () => {
    expect(until({ pg2: at(116), pg3: at(103.5) })).toBe(at(115.5));
    expect(until({ pg2: at(116), pg3: at(102) })).toBe(at(115));
  });

  test('are nothing where the record of the lease is not known, and one never promised', () => {
    expect(until({ pg2: at(104) }, [THREE], 'unknown')).toBeUndefined();
    expect(until({ pg2: at(104), pg3: at(101) }, [THREE], 'unknown')).toBe(at(104));
  });

  test('are not those of members that hear from Consul: they can take over, and soon', () => {
    const hears = (name: string) =>
      majorityUntil(ballot({ pg2: at(104) }, name), [THREE], 'pg1', at(115));
    expect(hears('pg2')).toBeUndefined();
    expect(hears('pg3')).toBe(at(104));
    const cast = castVote(ballot({}, 'pg2', 'pg3'), 'pg2', at(104), true);
    expect([...cast.hearing]).toEqual(['pg3']);
    expect([...castVote(cast, 'pg2', at(105), false).hearing]).toEqual(['pg3', 'pg2']);
  });

  test('must be most of every list that may be in effect', () => {
    const votes = { pg2: at(104) };
    expect(until(votes, [THREE, FIVE])).toBeUndefined();
    expect(until({ ...votes, pg4: at(104) }, [THREE, FIVE])).toBe(at(104));
    expect(until({ pg4: at(104), pg5: at(104) }, [THREE, FIVE])).toBeUndefined();
  });
});

describe('a lease', () => {
  const lost = aHeldLease({
    end: at(103),
    confirmedAt: at(100),
    renewedAt: at(100),
    reachMillis: 15_000,
  });
  const list = { ...NO_LIST, confirmed: THREE };
  const count = (held = lost) =>
    countPromises(held, ballot({ pg2: at(104) }), list, 'pg1', at(101), at(101.3));

  test('is stretched by the promises of most', () => {
    expect(count().extended.end).toBe(at(104));
    expect(count().isUnanimous).toBe(false);
  });

  test('and not renewed: its commits stay held', () => {
    const { extended } = count();
    const facts = { heartbeatMillis: 500, mayBeWritable: true, losesNothing: false };
    expect(brakeWish({ now: at(101.3), held: extended, ...facts })).toBe('hold');
    expect(brakeWish({ now: at(103.5), held: extended, ...facts })).toBe('hold');
  });

  test.each([
    ['that is over', { end: at(101) }],
    ['that was given away', { release: { handoff: undefined, lsn: undefined, exclude: [] } }],
    ['that is left to run out', { lapses: true as const }],
    ['in a store that lost the past', { amnesia: true }],
    ['that reaches no further than its ttl', { reachMillis: 3000 }],
  ])('is not stretched: one %s', (_, given) => {
    const held = { ...lost, ...given };
    expect(count(held).extended.end).toBe(held.end);
  });

  test('forgets the promises when a shorter ttl or another reach is asked for', () => {
    const voted = { ...EMPTY_BALLOT, votes: { pg2: at(104) } };
    const again = countPromises(lost, voted, list, 'pg1', at(101), at(101.3));
    expect(again.ballot.votes).toEqual({});
    expect(again.extended.end).toBe(at(103));
  });
});
