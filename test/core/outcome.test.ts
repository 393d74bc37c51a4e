import { describe, expect, test } from 'vitest';
import { takeInOutcome } from '../../src/core/outcome.ts';
import { aMemory, aView, ago, ended } from '../harness/views.ts';

const after = (outcome: ReturnType<typeof ended>, before: Parameters<typeof aMemory>[0] = {}) =>
  takeInOutcome(aView({ lastJob: outcome }), aMemory(before));
const failures = {
  kind: 'start',
  count: 2,
  lastAt: ago(900),
  code: 'before',
  under: undefined,
} as const;

describe('the outcome of a job', () => {
  test('is taken in once', () => {
    const once = after(ended('start', 'port in use'));
    expect(takeInOutcome(aView({ lastJob: ended('start', 'port in use') }), once)).toBe(once);
    expect(once.failures?.count).toBe(1);
  });

  test('counts failures of the same job in a row', () => {
    expect(after(ended('start', 'x'), { failures }).failures).toEqual({
      kind: 'start',
      count: 3,
      lastAt: ago(5),
      code: 'test',
    });
  });

  test('begins to count anew with another job', () => {
    expect(after(ended('clone', 'x'), { failures }).failures).toMatchObject({
      kind: 'clone',
      count: 1,
    });
  });

  test.each(['start', 'promote', 'clone', 'finish-bootstrap', 'initialise', 'rewind'] as const)(
    'forgets failures when a %s succeeds',
    (kind) => {
      expect(after(ended(kind), { failures }).failures).toBeUndefined();
    },
  );

  test.each(['stop', 'diagnose', 'checkpoint', 'set-aside'] as const)(
    'keeps them when a %s succeeds, which mends nothing',
    (kind) => {
      expect(after(ended(kind), { failures }).failures).toEqual(failures);
    },
  );

  test('ends the wish for a clone when the clone succeeds, and not before', () => {
    const reclone = { since: ago(99), why: 'asked', fromLeader: true };
    expect(after(ended('clone'), { reclone }).reclone).toBeUndefined();
    expect(after(ended('stop'), { reclone }).reclone).toEqual(reclone);
    expect(after(ended('clone', 'x'), { reclone }).reclone).toEqual(reclone);
  });

  test('that is not there changes nothing', () => {
    const memory = aMemory();
    expect(takeInOutcome(aView(), memory)).toBe(memory);
  });
});
