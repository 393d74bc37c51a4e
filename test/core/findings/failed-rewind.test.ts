import { expect, test } from 'vitest';
import { decide } from '../../../src/core/decide.ts';
import { takeInOutcome } from '../../../src/core/outcome.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { Memory } from '../../../src/core/memory.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aDiagnosis,
  aGeneration,
  ago,
  aMemory,
  aRecord,
  aView,
  down,
  ended,
  present,
  seen,
  SWITCH,
} from '../../harness/views.ts';

// 1. pg2 is to be rewound to pg1 of generation 5. pg1 dies during the rewind, which fails.
// 2. Before the failure is known pg1 leads again, under generation 6.
// 3. That a rewind failed then says nothing about one from the leader of now.
const own = { timeline: 2, endLsn: lsn(SWITCH + 1n) };
const under = (id: string, n: number): Partial<View> => ({
  ...seen(aRecord({ generation: present(aGeneration({ n, id })) }), 200),
  diagnosis: aDiagnosis({ generationId: id, own }),
});
const failed = (given: Partial<NonNullable<Memory['failures']>> = {}): Memory =>
  aMemory({
    failures: { kind: 'rewind', count: 1, lastAt: ago(60_000), code: 'x', under: 'g5', ...given },
  });

decides([
  {
    when: 'a rewind that failed under one generation is tried again under the next',
    view: aView(down(), under('g6', 6)),
    memory: failed(),
    rule: 'R520',
    actions: ['rewind'],
  },
  {
    when: 'under the same generation a person is asked',
    view: aView(down(), under('g5', 5)),
    memory: failed(),
    rule: 'R520',
    waitsFor: /pgbaton reinit/,
  },
]);

test('a rewind that fails when another leads already counts against the leader that it was from', () => {
  const led = seen(aRecord({ generation: present(aGeneration({ n: 6, id: 'g6' })) }), 10);
  const begun = decide(aView(down(), under('g5', 5)), aMemory()).memory;
  const view = aView(down(), led, { lastJob: ended('rewind', 'the source went away') });
  expect(takeInOutcome(view, begun).failures).toMatchObject({ kind: 'rewind', under: 'g5' });
});

test('the tries under one generation are not counted for the next', () => {
  const view = aView(down(), under('g6', 6), { lastJob: ended('rewind', 'no connection') });
  const before = {
    ...failed({ count: 3, code: 'postgres-rewind-not-begun' }),
    rewindUnder: 'g6',
  };
  expect(takeInOutcome(view, before).failures).toMatchObject({ count: 1, under: 'g6' });
});

test('the tries under one generation add up', () => {
  const view = aView(down(), under('g5', 5), { lastJob: ended('rewind', 'no connection') });
  const before = { ...failed({ count: 2 }), rewindUnder: 'g5' };
  expect(takeInOutcome(view, before).failures).toMatchObject({ count: 3, under: 'g5' });
});
