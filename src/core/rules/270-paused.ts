import type { Action } from '../action.ts';
import type { Rule, Verdict } from '../decision.ts';
import { role } from '../facts.ts';
import type { Memory } from '../memory.ts';
import { isPaused } from '../pause.ts';
import type { View } from '../view.ts';

/** What changes whether Postgres runs, what it is, or what its data are. */
const WITHHELD: ReadonlySet<Action['kind']> = new Set([
  'start',
  'stop',
  'fence',
  'release',
  'give-back',
  'clone',
  'rewind',
  'initialise',
  'set-aside',
]);

const MANUAL: Readonly<
  Record<'restart' | 'hand-over' | 'reinitialize', ReadonlySet<Action['kind']>>
> = {
  restart: new Set(['start', 'fence', 'diagnose']),
  'hand-over': new Set(['start', 'fence', 'diagnose']),
  reinitialize: new Set(['start', 'stop', 'clone', 'set-aside', 'diagnose']),
};

/**
 * Maintenance mode: of what the rules after this one would do, nothing is done that changes Postgres,
 * unless an operator asked for it. So the explanation says what a resume would lead to.
 */
export const pausedOver = (rules: readonly Rule[]): Rule => ({
  number: 270,
  name: 'paused',
  when: 'cluster management is paused, and a later rule would touch Postgres or the lease',
  evaluate(view, memory) {
    if (!isPaused(view)) return undefined;
    for (const rule of rules) {
      const verdict = rule.evaluate(view, memory);
      if (verdict === undefined) continue;
      return isWithheld(view, memory, verdict) ? withheld(view, rule, verdict) : undefined;
    }
    return undefined;
  },
});

function withheld(view: View, rule: Rule, verdict: Verdict): Verdict {
  const restart = role(view) === 'down' ? [`"pgbaton restart" of ${view.self}`] : [];
  return {
    why: `cluster management is paused, or R${rule.number} ${rule.name} would act: ${verdict.why}`,
    waitsFor: ['"pgbaton resume"', ...restart],
    wakeAt: verdict.wakeAt,
  };
}

function isWithheld(view: View, memory: Memory, verdict: Verdict): boolean {
  const actions = verdict.actions ?? [];
  // Whoever was given the lease by an operator and cannot promote does not keep it.
  if (actions.some(isFailedPromotion)) return false;
  const plansClone = verdict.memory?.reclone !== undefined && memory.reclone === undefined;
  return plansClone || actions.some((action) => isUnasked(view, memory, action));
}

const isFailedPromotion = (action: Action): boolean =>
  action.kind === 'fence' && action.cause === 'promotion-failed';

function isUnasked(view: View, memory: Memory, action: Action): boolean {
  const founds = action.kind === 'takeover' && action.basis === 'bootstrap';
  // A server that runs may be asked; the files of one that is down are left to whoever maintains them.
  const looks = action.kind === 'diagnose' && role(view) === 'down';
  if (!founds && !looks && !WITHHELD.has(action.kind)) return false;
  const asked = memory.restart === undefined ? memory.manual?.what : 'restart';
  return asked === undefined || !MANUAL[asked].has(action.kind);
}
