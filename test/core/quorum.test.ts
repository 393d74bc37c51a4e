import { describe, expect, test } from 'vitest';
import {
  ALONE,
  NO_VOTERS,
  electorateAfter,
  namesOf,
  overlaps,
  planSync,
  ruleFor,
  ruleOf,
  votesMissing,
} from '../../src/core/quorum.ts';
import type { CommitRule, Electorate } from '../../src/core/quorum.ts';
import { formatSyncNames } from '../../src/core/sync-names.ts';

const voters = (quorum: number, ...names: readonly string[]): Electorate => ({
  voters: names,
  quorum,
});
const standbys = (count: number, ...names: readonly string[]): CommitRule => ({
  standbys: names,
  count,
});

describe('overlap', () => {
  test.each<[string, Electorate, CommitRule, boolean]>([
    ['nobody votes', NO_VOTERS, ALONE, true],
    ['a voter that no commit waits for', voters(0, 'b'), ALONE, false],
    ['one for one', voters(0, 'b'), standbys(1, 'b'), true],
    ['one of two acknowledges, one decides', voters(0, 'b', 'c'), standbys(1, 'b', 'c'), false],
    ['one of two acknowledges, both decide', voters(1, 'b', 'c'), standbys(1, 'b', 'c'), true],
    ['both acknowledge, one decides', voters(0, 'b', 'c'), standbys(2, 'b', 'c'), true],
    ['another one acknowledges', voters(0, 'b'), standbys(1, 'c'), false],
    ['more acknowledge than vote', voters(0, 'b'), standbys(2, 'b', 'c'), true],
    ['two of three each way', voters(1, 'b', 'c', 'd'), standbys(2, 'b', 'c', 'd'), true],
    ['more votes are needed than there are', voters(1, 'b'), ALONE, true],
  ])('%s', (_title, electorate, rule, expected) => {
    expect(overlaps(electorate, rule)).toBe(expected);
  });
});

describe('the plan', () => {
  const goal = (count: number, ...names: readonly string[]) => ({
    standbys: names,
    count,
    strict: false,
  });
  const plan = (
    electorate: Electorate,
    rule: CommitRule,
    wanted: ReturnType<typeof goal>,
    ...confirmed: readonly string[]
  ) => planSync({ electorate, rule, confirmed }, wanted);

  test('has commits wait for a standby before it may be promoted', () => {
    expect(plan(NO_VOTERS, ALONE, goal(1, 'b'))).toEqual({
      kind: 'rule',
      rule: standbys(1, 'b'),
    });
    expect(plan(NO_VOTERS, standbys(1, 'b'), goal(1, 'b'))).toEqual({
      kind: 'await',
      standbys: ['b'],
    });
    expect(plan(NO_VOTERS, standbys(1, 'b'), goal(1, 'b'), 'b')).toEqual({
      kind: 'electorate',
      electorate: voters(0, 'b'),
    });
    expect(plan(voters(0, 'b'), standbys(1, 'b'), goal(1, 'b'), 'b')).toEqual({ kind: 'settled' });
  });

  test('takes a standby off the record before commits stop waiting for it', () => {
    expect(plan(voters(0, 'b'), standbys(1, 'b'), goal(0))).toEqual({
      kind: 'electorate',
      electorate: NO_VOTERS,
    });
    expect(plan(NO_VOTERS, standbys(1, 'b'), goal(0))).toEqual({ kind: 'rule', rule: ALONE });
  });

  test('replaces one by another through a time in which both are waited for', () => {
    const both = standbys(2, 'b', 'c');
    expect(plan(voters(0, 'b'), standbys(1, 'b'), goal(1, 'c'), 'b')).toEqual({
      kind: 'rule',
      rule: both,
    });
    expect(plan(voters(0, 'b'), both, goal(1, 'c'), 'b')).toEqual({
      kind: 'await',
      standbys: ['c'],
    });
    expect(plan(voters(0, 'b'), both, goal(1, 'c'), 'c')).toEqual({
      kind: 'electorate',
      electorate: voters(0, 'c'),
    });
    expect(plan(voters(0, 'c'), both, goal(1, 'c'), 'c')).toEqual({
      kind: 'rule',
      rule: standbys(1, 'c'),
    });
  });

  test('strict: keeps waiting for who is gone', () => {
    const state = { electorate: voters(0, 'b'), rule: standbys(1, 'b'), confirmed: [] };
    expect(planSync(state, { standbys: [], count: 0, strict: true })).toEqual({ kind: 'settled' });
  });

  test('lets nobody be promoted once somebody has turned the waiting off', () => {
    expect(plan(voters(0, 'b'), ALONE, goal(1, 'b'), 'b')).toEqual({
      kind: 'electorate',
      electorate: NO_VOTERS,
    });
  });
});

describe('a change of leader', () => {
  test('puts the former leader in the place of the winner', () => {
    expect(electorateAfter(voters(0, 'b'), 'a', 'b')).toEqual(voters(0, 'a'));
    expect(electorateAfter(voters(1, 'b', 'c'), 'a', 'c')).toEqual(voters(1, 'b', 'a'));
    expect(electorateAfter(voters(1, 'b', 'c'), 'a', 'd')).toEqual(voters(1, 'b', 'c', 'a'));
    expect(electorateAfter(voters(0, 'b'), 'a', 'a')).toEqual(voters(0, 'b'));
    expect(electorateAfter(NO_VOTERS, 'a', 'b')).toEqual(NO_VOTERS);
  });

  test('has the first commits of the new leader wait already', () => {
    expect(ruleFor(voters(0, 'a'))).toEqual(standbys(1, 'a'));
    expect(ruleFor(voters(1, 'a', 'b'))).toEqual(standbys(1, 'a', 'b'));
    expect(ruleFor(voters(1, 'a', 'b', 'c'))).toEqual(standbys(2, 'a', 'b', 'c'));
    expect(ruleFor(NO_VOTERS)).toEqual(ALONE);
  });
});

describe('votes', () => {
  const missing = (electorate: Electorate, candidate: string, ...votes: readonly string[]) =>
    votesMissing(electorate, 'a', { candidate, votes });

  test('a voter counts itself, another one does not', () => {
    expect(missing(voters(0, 'b'), 'b')).toBe(0);
    expect(missing(voters(0, 'b'), 'c')).toBe(1);
    expect(missing(voters(0, 'b'), 'c', 'b')).toBe(0);
    expect(missing(voters(1, 'b', 'c'), 'b')).toBe(1);
    expect(missing(voters(1, 'b', 'c'), 'b', 'b')).toBe(1);
    expect(missing(voters(1, 'b', 'c'), 'b', 'c')).toBe(0);
    expect(missing(voters(1, 'b', 'c'), 'd', 'e', 'b')).toBe(1);
  });

  test('the former leader needs none, and where nobody votes nobody else can do', () => {
    expect(missing(voters(1, 'b', 'c'), 'a')).toBe(0);
    expect(missing(NO_VOTERS, 'a')).toBe(0);
    expect(missing(NO_VOTERS, 'b', 'c')).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('what PostgreSQL is told', () => {
  test.each([
    [standbys(1, 'b'), 'on', '"b"'],
    [standbys(2, 'c', 'b'), 'on', '2 ("b","c")'],
    [standbys(1, 'c', 'b'), 'quorum', 'ANY 1 ("b","c")'],
    [ALONE, 'on', ''],
  ] as const)('%j in mode %s', (rule, mode, text) => {
    expect(formatSyncNames(namesOf(rule, mode))).toBe(text);
    expect(new Set(ruleOf(namesOf(rule, mode)).standbys)).toEqual(new Set(rule.standbys));
  });
});
