import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { judgeTakeover } from '../takeover.ts';

/** A standby without anyone to follow: says exactly why it does not lead. */
export const standingBy: Rule = {
  number: 590,
  name: 'standing-by',
  when: 'the own Postgres is a standby and it may not lead (yet)',
  evaluate(view, memory) {
    if (holdsLease(view) || role(view) !== 'standby') return undefined;
    const verdict = judgeTakeover(view, memory, view.command?.kind === 'failover');
    const until = verdict.kind === 'wait' ? verdict.until : undefined;
    return {
      why: verdict.why,
      waitsFor: [verdict.kind === 'wait' ? 'time, or a heartbeat' : verdict.why],
      wakeAt: until,
    };
  },
};
