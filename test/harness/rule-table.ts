import { expect, test } from 'vitest';
import type { Action } from '../../src/core/action.ts';
import { decide } from '../../src/core/decide.ts';
import { breachesOf } from '../../src/core/invariants.ts';
import type { Memory } from '../../src/core/memory.ts';
import type { View } from '../../src/core/view.ts';
import { aMemory } from './views.ts';

/** One row: what is so, which rule decides, and everything it says. */
export interface Row {
  /** The title of the test, after the name of the rule. */
  readonly when: string;
  readonly view: View;
  readonly memory?: Memory;
  /** `R410`; in a negative row the rule that decides instead. */
  readonly rule: string;
  /** All of them, in order; absent: none. */
  readonly actions?: readonly (Action | Action['kind'])[];
  readonly why?: RegExp;
  /** One of the things waited for. */
  readonly waitsFor?: RegExp;
  /** What the memory must contain afterwards. */
  readonly remembers?: object;
  readonly wakeAt?: number;
}

/** Each row is decided by the whole of `decide`, so that it also shows the order of the rules. */
export function decides(rows: readonly Row[]): void {
  for (const row of rows) {
    test(`${row.rule} ${row.when}`, () => {
      const decision = decide(row.view, row.memory ?? aMemory());
      expect(`${decision.rule}: ${decision.why}`).toMatch(new RegExp(`^${row.rule}: `));
      const wanted = row.actions ?? [];
      const shown = decision.actions.map((action, position) =>
        typeof wanted[position] === 'string' ? action.kind : action,
      );
      expect(shown).toEqual(wanted);
      if (row.why !== undefined) expect(decision.why).toMatch(row.why);
      if (row.waitsFor !== undefined) expect(decision.waitsFor.join('\n')).toMatch(row.waitsFor);
      if (row.remembers !== undefined) expect(decision.memory).toMatchObject(row.remembers);
      if (row.wakeAt !== undefined) expect(decision.wakeAt).toBe(row.wakeAt);
      expect(breachesOf(row.view, decision)).toEqual([]);
    });
  }
}
