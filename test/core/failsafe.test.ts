import { describe, expect, test } from 'vitest';
import {
  addVote,
  confirmList,
  extendByPromises,
  needsPromises,
  NO_LIST,
  notePresence,
  OVERDUE_MILLIS,
  promiseTtlMillis,
  sameList,
  unanimousUntil,
  votersOf,
  wantedList,
} from '../../src/core/failsafe.ts';
import type { ListState } from '../../src/core/failsafe.ts';
import { confirmBeat, sendBeat, winLease } from '../../src/core/lease.ts';
import type { HeldLease } from '../../src/core/lease.ts';
import { instant } from '../../src/core/time.ts';
import { aMember } from '../harness/views.ts';

const at = (seconds: number) => instant(seconds * 1000);
const self = { name: 'pg1', apiUrl: 'http://pg1' };
const left = aMember('pg2', { state: 'stopped', role: 'uninitialized' });
const state = (given: Partial<ListState> = {}): ListState => ({ ...NO_LIST, ...given });
const names = (list: Readonly<Record<string, string>>) => Object.keys(list).toSorted();

describe('the failsafe list', () => {
  test('holds the holder, always', () => {
    expect(wantedList(state(), [], self, at(1))).toEqual({ pg1: 'http://pg1' });
  });

  test('takes in every member that is present', () => {
    const list = wantedList(state(), [aMember('pg2'), aMember('pg3')], self, at(1));
    expect(names(list)).toEqual(['pg1', 'pg2', 'pg3']);
  });

  test('keeps a member that lost its session: that is not leaving', () => {
    const before = notePresence(
      state({ confirmed: { pg2: 'http://pg2' } }),
      [aMember('pg2')],
      at(1),
    );
    expect(names(wantedList(before, [], self, at(600)))).toEqual(['pg1', 'pg2']);
  });

  test('counts whoever is on the list that a new holder finds as seen now', () => {
    const found = confirmList(state(), { pg2: 'http://pg2' }, at(1));
    expect(names(wantedList(found, [], self, at(600)))).toEqual(['pg1', 'pg2']);
    expect(names(wantedList(found, [], self, at(601)))).toEqual(['pg1']);
  });

  test('does not count a member as seen anew each time the list is confirmed', () => {
    const found = confirmList(state(), { pg2: 'http://pg2' }, at(1));
    const later = confirmList(found, { pg2: 'http://pg2' }, at(500));
    expect(names(wantedList(later, [], self, at(601)))).toEqual(['pg1']);
  });

  test('drops a member after ten minutes of absence', () => {
    const before = notePresence(
      state({ confirmed: { pg2: 'http://pg2' } }),
      [aMember('pg2')],
      at(1),
    );
    expect(names(wantedList(before, [], self, at(601)))).toEqual(['pg1']);
  });

  test('drops a member that left in good order at once', () => {
    const before = notePresence(
      state({ confirmed: { pg2: 'http://pg2' } }),
      [aMember('pg2')],
      at(1),
    );
    const after = notePresence(before, [left], at(2));
    expect(names(wantedList(after, [left], self, at(2)))).toEqual(['pg1']);
    expect(names(wantedList(after, [], self, at(2)))).toEqual(['pg1']);
  });

  test('knows when two lists say the same', () => {
    expect(sameList({ a: '1', b: '2' }, { b: '2', a: '1' })).toBe(true);
    expect(sameList({ a: '1' }, { a: '2' })).toBe(false);
    expect(sameList({ a: '1' }, { a: '1', b: '2' })).toBe(false);
    expect(sameList(undefined, {})).toBe(false);
    expect(sameList(undefined, undefined)).toBe(true);
  });
});

describe('who must promise', () => {
  test('all of every list that may be in effect, but the holder', () => {
    const lists = state({
      confirmed: { pg1: '1', pg2: '2' },
      sent: [{ pg1: '1', pg3: '3' }, { pg4: '4' }],
    });
    expect(names(votersOf(lists, 'pg1'))).toEqual(['pg2', 'pg3', 'pg4']);
  });

  test('nobody, for a holder that is alone', () => {
    expect(votersOf(state({ confirmed: { pg1: '1' } }), 'pg1')).toEqual({});
  });
});

describe('promises count', () => {
  const voters = { pg2: '2', pg3: '3' };

  test('only when all have promised', () => {
    expect(unanimousUntil(voters, addVote({}, 'pg2', at(5)), at(9))).toBeUndefined();
  });

  test('until the first of all voters is free', () => {
    const votes = addVote(addVote({}, 'pg2', at(7)), 'pg3', at(5));
    expect(unanimousUntil(voters, votes, at(9))).toBe(at(5));
  });

  test('each by the longest that this voter has promised', () => {
    const votes = addVote(addVote(addVote({}, 'pg2', at(5)), 'pg2', at(4)), 'pg3', at(6));
    expect(unanimousUntil(voters, votes, at(9))).toBe(at(5));
  });

  test('for a round without anybody to ask', () => {
    expect(unanimousUntil({}, {}, at(9))).toBe(at(9));
  });

  test('of nobody who is not asked any more', () => {
    expect(unanimousUntil({ pg3: '3' }, addVote({}, 'pg2', at(5)), at(9))).toBeUndefined();
  });
});

describe('unanimous promises', () => {
  const held = winLease('g5', 5, at(100), 3000, { generation: 1, lease: 1 });

  test('extend a lease that is valid', () => {
    expect(extendByPromises(held, at(105), at(102.5)).end).toBe(at(105));
  });

  test('do not revive one that is over', () => {
    expect(extendByPromises(held, at(105), at(103)).end).toBe(at(103));
  });

  test('do not extend one that was released', () => {
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    expect(extendByPromises({ ...held, release }, at(105), at(102.5)).end).toBe(at(103));
  });

  test('never shorten', () => {
    expect(extendByPromises(held, at(93), at(101)).end).toBe(at(103));
  });

  test('are asked for no longer than what followers may have read', () => {
    const sent = sendBeat(held, at(101), { ttlMillis: 10_000 }, 'two').held;
    expect(promiseTtlMillis(sent)).toBe(3000);
    expect(promiseTtlMillis(sendBeat(held, at(101), { ttlMillis: 1000 }, 'two').held)).toBe(1000);
  });

  test('are asked for no longer than any beat allows for that may still be committed', () => {
    const short = sendBeat(held, at(101), { ttlMillis: 1000 }, 'two').held;
    expect(promiseTtlMillis(sendBeat(short, at(101.3), { ttlMillis: 3000 }, 'two').held)).toBe(
      1000,
    );
  });
});

describe('promises are needed', () => {
  const held = winLease('g5', 5, at(100), 3000, { generation: 1, lease: 1 });
  const sent = sendBeat(held, at(101), { ttlMillis: 3000 }, 'two').held;
  const overdue = instant(at(101) + OVERDUE_MILLIS + 1);

  test('when a heartbeat is unanswered for too long', () => {
    expect(needsPromises(sent, instant(at(101) + OVERDUE_MILLIS))).toBe(false);
    expect(needsPromises(sent, overdue)).toBe(true);
  });

  test('at once when Consul has lost the newest generation', () => {
    expect(needsPromises({ ...held, amnesia: true }, at(101))).toBe(true);
  });

  test('by an agent that adopted the lease and cannot read', () => {
    const adopted = { ...held, leaseIndex: undefined, confirmedAt: undefined };
    expect(needsPromises(adopted, at(101))).toBe(true);
  });

  test('no more when the lease is over or released', () => {
    expect(needsPromises(sent, at(103))).toBe(false);
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    expect(needsPromises({ ...sent, release }, overdue)).toBe(false);
  });

  test('not while all is well', () => {
    expect(needsPromises(held, at(102))).toBe(false);
  });
});

describe('what promises are asked for', () => {
  const held = winLease('g5', 5, at(100), 3000, { generation: 1, lease: 1 });
  const beats = (from: HeldLease, first: number, count: number): HeldLease =>
    Array.from({ length: count }, (_, index) => at(first + index / 10)).reduce(
      (before, sentAt) => sendBeat(before, sentAt, { ttlMillis: 3000 }, 'two').held,
      from,
    );

  test('is no longer than the ttl of any attempt that may still commit, however long ago it was', () => {
    const short = sendBeat(held, at(101), { ttlMillis: 500 }, 'two').held;
    expect(promiseTtlMillis(beats(short, 101.1, 7))).toBe(500);
    const long = beats(short, 101.1, 20);
    expect(promiseTtlMillis(long)).toBe(500);
    expect(promiseTtlMillis(confirmBeat(long, long.beat, at(103)))).toBe(3000);
  });
});
