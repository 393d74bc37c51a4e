import type { Action } from '../action.ts';
import type { Rule, Verdict } from '../decision.ts';
import { holdsLease } from '../facts.ts';
import { giveUp } from '../give-up.ts';
import { isPaused } from '../pause.ts';
import { hangOf } from '../silence.ts';

/**
 * I8: a server that answers nobody is killed, whatever it was at. A leader gives the lease to who can
 * take over; without anyone it is started again in place, as a standby is in any case.
 */
export const hung: Rule = {
  number: 180,
  name: 'hung',
  when: 'the own Postgres runs and has answered nobody for longer than primary_hang_timeout',
  evaluate(view) {
    const why = hangOf(view);
    if (why === undefined || isPaused(view)) return undefined;
    if (!holdsLease(view)) {
      return { why: `${why}: it is killed and started again`, actions: [KILL] };
    }
    return giveUp(view, why, KILL) ?? inPlace(why);
  },
};

const KILL: Action = { kind: 'fence', cause: 'hung' };

const inPlace = (why: string): Verdict => ({
  why: `${why}; nobody else can take over: it is killed and started again here`,
  actions: [KILL],
});
