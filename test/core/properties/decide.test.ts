import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Action } from '../../../src/core/action.ts';
import { decide, RULES } from '../../../src/core/decide.ts';
import { breachesOf, DECISION_CHECKS } from '../../../src/core/invariants.ts';
import type { JobKind } from '../../../src/core/job.ts';
import { aMemory, aView, running } from '../../harness/views.ts';
import { arbitraryMemory, arbitraryView } from '../../harness/scenes.ts';

const RUNS = { numRuns: 20_000 };
/** Two seconds each; a machine that is busy with others may take ten. */
vi.setConfig({ testTimeout: 60_000 });

describe('whatever is observed, a decision', () => {
  test('is made, and satisfies every check on decisions', () => {
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        expect(breachesOf(view, decide(view, memory))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('is the same each time', () => {
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        expect(decide(view, memory)).toEqual(decide(view, memory));
      }),
    );
  });

  test('changes neither what was seen nor what was remembered', () => {
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        const copies = structuredClone([{ ...view, settings: undefined }, memory]);
        decide(view, memory);
        expect([{ ...view, settings: undefined }, memory]).toEqual(copies);
      }),
    );
  });

  test('names a rule, and each rule is reached by some', () => {
    const numbers = RULES.map((rule) => `R${rule.number}`);
    const reached = new Set<string>();
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        const { rule } = decide(view, memory);
        reached.add(rule);
        return numbers.includes(rule);
      }),
      RUNS,
    );
    expect(numbers.filter((number) => !reached.has(number))).toEqual([]);
  });
});

/** All that a decision can order; the flag: whether a rule does. */
const ORDERED: Readonly<Record<Action['kind'], boolean>> = {
  fence: true,
  canvass: true,
  takeover: true,
  release: true,
  start: true,
  stop: true,
  promote: true,
  checkpoint: true,
  initialise: true,
  'finish-bootstrap': true,
  clone: true,
  rewind: true,
  diagnose: true,
  'set-aside': true,
  follow: true,
  'cancel-job': true,
  'raise-floor': true,
  'restart-observation': true,
  probe: true,
  'set-sync-names': true,
  'write-sync': true,
  'write-initialize': true,
  'record-promotion': true,
  'remember-promotion': true,
  'write-history': true,
  'reconcile-slots': true,
  'note-followed': true,
  answer: true,
  leave: true,
  abandon: true,
  'give-back': true,
};

describe('the generated views', () => {
  test('lead to every action there is, so that the checks above say something', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        for (const action of decide(view, memory).actions) seen.add(action.kind);
      }),
      RUNS,
    );
    const wanted = Object.entries(ORDERED).flatMap(([kind, ordered]) => (ordered ? [kind] : []));
    expect([...seen].toSorted()).toEqual(wanted.toSorted());
  });
});

describe('the rules', () => {
  test('are in the order of their numbers, and none has the number or name of another', () => {
    const numbers = RULES.map((rule) => rule.number);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
    expect(new Set(RULES.map((rule) => rule.name)).size).toBe(RULES.length);
  });

  test('end with one that always fires', () => {
    fc.assert(
      fc.property(arbitraryView, arbitraryMemory, (view, memory) => {
        expect(RULES.at(-1)?.evaluate(view, memory)).toBeDefined();
      }),
    );
  });
});

describe('the checks on decisions', () => {
  const whileIn = (kind: JobKind, action: Action) => {
    const view = aView(running(kind));
    const decision = { ...decide(view, aMemory()), actions: [action] };
    return breachesOf(view, decision).map((breach) => breach.id);
  };

  test('see a second job, also beside a look for evidence', () => {
    expect(whileIn('diagnose', { kind: 'checkpoint' })).toContain('D9');
    expect(whileIn('start', { kind: 'promote' })).toContain('D9');
  });

  test('let a stop be wished meanwhile', () => {
    expect(whileIn('start', { kind: 'stop', mode: 'fast' })).toEqual([]);
  });

  test('have ids of their own', () => {
    const ids = DECISION_CHECKS.map((check) => check.id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
