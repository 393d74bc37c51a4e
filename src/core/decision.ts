import type { Action } from './action.ts';
import type { Memory } from './memory.ts';
import type { Instant } from './time.ts';
import type { View } from './view.ts';

/** What a rule says when it fires. */
export interface Verdict {
  /** One sentence for the operator: what is so, with the figures that decided. */
  readonly why: string;
  /** What would have to change for another rule to fire. */
  readonly waitsFor?: readonly string[];
  readonly actions?: readonly Action[];
  /** The memory to go on with; unchanged when absent. */
  readonly memory?: Memory;
  /** When this verdict may change by the mere passing of time. */
  readonly wakeAt?: Instant | undefined;
}

/** One numbered rule. The first that fires decides; none below it is asked. */
export interface Rule {
  readonly number: number;
  readonly name: string;
  /** When it fires, as the README's table says it. */
  readonly when: string;
  readonly evaluate: (view: View, memory: Memory) => Verdict | undefined;
}

export interface Decision {
  readonly rule: string;
  readonly name: string;
  readonly why: string;
  readonly waitsFor: readonly string[];
  readonly actions: readonly Action[];
  readonly memory: Memory;
  readonly wakeAt: Instant | undefined;
}
