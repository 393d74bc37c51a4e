import { describe, expect, test } from 'vitest';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import { waitMillis } from '../../src/core/lease.ts';
import {
  beatTerms,
  manyPresent,
  mayGoAloneAt,
  mostAreFree,
  promiseFreeMillis,
} from '../../src/core/reach.ts';
import type { View } from '../../src/core/view.ts';
import { someSettings, TTL_MILLIS } from '../harness/settings.ts';
import {
  ago,
  ahead,
  aHost,
  aLease,
  aMember,
  anEmptyRecord,
  aRecord,
  asked,
  aView,
  noAnswer,
  NOW,
  opinion,
  present,
  seen,
} from '../harness/views.ts';

const LISTED = { pg1: 'http://pg1', pg2: 'http://pg2', pg3: 'http://pg3' };
const reaching = (given: Partial<ClusterRecord> = {}) =>
  aRecord({
    lease: present(aLease({ reachMillis: 15_000 }), 20),
    failsafe: present(LISTED, 40),
    ...given,
  });
const promisedUntil = (until: View['now']) => ({
  promised: { leaseId: 'g5', until, aloneUntil: until },
});

describe('what a beat says of its reach', () => {
  const policy = someSettings().policy;

  test('is more than the ttl while the loss of its holder alone makes nobody wait for it', () => {
    const terms = beatTerms(policy, { paused: false, manyPresent: true });
    expect(terms).toEqual({ ttlMillis: TTL_MILLIS, reachMillis: 15_000, paused: false });
    const few = beatTerms(policy, { paused: false, manyPresent: false });
    expect(few.reachMillis).toBe(TTL_MILLIS);
  });

  test('is the ttl where members promise nothing', () => {
    const terms = beatTerms({ ...policy, failsafe: false }, { paused: false, manyPresent: true });
    expect(terms.reachMillis).toBe(TTL_MILLIS);
  });

  test.each([
    ['all of three', ['pg2', 'pg3'], LISTED, true],
    ['one of two others', ['pg2'], LISTED, false],
    ['the other one of a pair', ['pg2'], { pg1: '1', pg2: '2' }, true],
    ['nobody else of a pair', [], { pg1: '1', pg2: '2' }, false],
    ['whoever is not listed', ['pg2', 'pg4'], LISTED, false],
    ['two of four others', ['pg2', 'pg3'], { ...LISTED, pg4: '4', pg5: '5' }, false],
    ['three of four others', ['pg2', 'pg3', 'pg4'], { ...LISTED, pg4: '4', pg5: '5' }, true],
    ['two others without a list', ['pg2', 'pg3'], undefined, false],
  ])('many are present: %s', (_, names, list, expected) => {
    const members = ['pg1', ...names].map((name) => aMember(name, { honoursReach: true }));
    expect(manyPresent(list, members, 'pg1')).toBe(expected);
  });
});

test('a member that does not say that it honours a reach keeps everyone from relying on one', () => {
  const members = [aMember('pg2', { honoursReach: true }), aMember('pg3')];
  expect(manyPresent(LISTED, members, 'pg1')).toBe(false);
});

describe('who hears from nobody may go', () => {
  const aloneAt = (record: ClusterRecord, given: Partial<View> = {}) => {
    const view = aView(seen(record, 1000), given);
    if (view.observation === undefined) throw new Error('the record was seen');
    return mayGoAloneAt(view, view.observation, record) - NOW;
  };

  test('when the reach is over, and never before the ttl is', () => {
    expect(aloneAt(reaching())).toBe(waitMillis(15_000) - 1000);
    expect(aloneAt(aRecord())).toBe(waitMillis(TTL_MILLIS) - 1000);
  });

  test('and what it has promised of going alone', () => {
    const aloneUntil = ahead(20_000);
    const promised = { leaseId: 'g5', until: ahead(1), aloneUntil };
    expect(aloneAt(reaching(), { promised })).toBe(20_000);
  });

  test('in a store that lost the past, as if the lease that runs reached far', () => {
    const host = aHost({ floor: { n: 6, id: 'g6' } });
    expect(aloneAt(aRecord(), { host })).toBe(waitMillis(15_000) - 1000);
    const settings = someSettings({ policy: { failsafe: false } });
    expect(aloneAt(aRecord(), { host, settings })).toBe(waitMillis(15_000) - 1000);
  });

  test('in a store that shows an older beat than this member has read, just so', () => {
    const newestBeat = { id: 'g5', beat: 8 };
    expect(aloneAt(aRecord(), { newestBeat })).toBe(waitMillis(15_000) - 1000);
    const other = { id: 'g4', beat: 80 };
    expect(aloneAt(aRecord(), { newestBeat: other })).toBe(waitMillis(TTL_MILLIS) - 1000);
  });

  test('in an empty store without a past, after the ttl', () => {
    const host = aHost({ floor: { n: 0, id: undefined } });
    expect(aloneAt(anEmptyRecord(), { host })).toBe(waitMillis(TTL_MILLIS) - 1000);
  });
});

describe('most are free of promises', () => {
  const free = (
    answer: ReturnType<typeof asked>,
    given: Partial<View> = {},
    record = reaching(),
  ) => {
    const view = aView(seen(record, 10_000), answer, given);
    return view.canvass !== undefined && mostAreFree(view, view.canvass, record);
  };
  const pg3 = (promiseFreeMillis: number | undefined) => opinion('pg3', { promiseFreeMillis });

  test('when those that say so and this member are half of the list', () => {
    expect(free(asked(noAnswer('pg1'), pg3(100)))).toBe(true);
    expect(free(asked(noAnswer('pg1'), noAnswer('pg3')))).toBe(false);
  });

  test('at the moment at which they were asked: who became free later does not count', () => {
    expect(free(asked(pg3(21)))).toBe(true);
    expect(free(asked(pg3(20)))).toBe(false);
    expect(free(asked(pg3(undefined)))).toBe(false);
  });

  test('this member only if it was free then, too', () => {
    expect(free(asked(pg3(100)), promisedUntil(ago(30)))).toBe(true);
    expect(free(asked(pg3(100)), promisedUntil(ago(29)))).toBe(false);
  });

  test('the holder of the lease is not asked for its word', () => {
    expect(free(asked(opinion('pg1', { promiseFreeMillis: 100 }), noAnswer('pg3')))).toBe(false);
  });

  test('nobody knows without a list, or before all have answered', () => {
    expect(free(asked(pg3(100)), {}, reaching({ failsafe: { kind: 'absent' } }))).toBe(false);
    const canvass = { askedAt: ago(30), finishedAt: undefined, opinions: [] };
    expect(free({ canvass })).toBe(false);
  });

  test('nobody knows by a list of the past', () => {
    const pair = reaching({ failsafe: present({ pg1: '1', pg2: '2' }, 40) });
    expect(free(asked(noAnswer('pg1')), { newestBeat: { id: 'g5', beat: 8 } }, pair)).toBe(false);
    const host = aHost({ floor: { n: 6, id: 'g6' } });
    expect(free(asked(noAnswer('pg1')), { host }, pair)).toBe(false);
  });

  test('one member is free of the promises of a pair', () => {
    const pair = reaching({ failsafe: present({ pg1: '1', pg2: '2' }, 40) });
    expect(free(asked(noAnswer('pg1')), {}, pair)).toBe(true);
  });
});

describe('a member says that it is free of promises', () => {
  const freeFor = (...given: readonly Partial<View>[]) =>
    promiseFreeMillis(aView(seen(reaching(), 10), ...given));
  const forgotten = waitMillis(TTL_MILLIS);

  test('since its last one has ended', () => {
    expect(freeFor({ startedAt: ago(60_000) }, promisedUntil(ago(70)))).toBe(70);
    expect(freeFor({ startedAt: ago(60_000) }, promisedUntil(ahead(1)))).toBeUndefined();
  });

  test('and whatever the process before it may have promised', () => {
    expect(freeFor({ startedAt: ago(forgotten + 5) })).toBe(5);
    expect(freeFor({ startedAt: ago(forgotten - 1) })).toBeUndefined();
  });

  test('not before it has read for how long promises are asked, nor in a store of the past', () => {
    const startedAt = ago(60_000);
    expect(freeFor({ startedAt, observation: undefined })).toBeUndefined();
    expect(freeFor({ startedAt, host: aHost({ floor: { n: 6, id: 'g6' } }) })).toBeUndefined();
  });
});
