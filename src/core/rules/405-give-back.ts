import { control, role } from '../facts.ts';
import type { Rule } from '../decision.ts';
import { leadsNoMore } from '../ex-leader.ts';
import { plus, since } from '../time.ts';
import type { Millis } from '../time.ts';

/** Consul that refuses, or does not answer, is told again after this. */
const AGAIN_MILLIS: Millis = 1000;

/**
 * No time ends a lease that says paused. Its holder knows that it is over, and leads again without
 * telling anyone: nobody has more of the log. Where it cannot, only its word sets the others free.
 */
export const giveBack: Rule = {
  number: 405,
  name: 'give-back',
  when: 'the lease in Consul says paused, was its own and is over here, and this member cannot lead again',
  evaluate(view, memory) {
    const obstacle = leadsNoMore(view, memory);
    if (obstacle === undefined) return undefined;
    const why = `the paused lease in Consul is over, and this member cannot lead again: ${obstacle}`;
    const { gaveBackAt } = memory;
    if (gaveBackAt !== undefined && since(gaveBackAt, view.now) < AGAIN_MILLIS) {
      return { why, waitsFor: ['an answer of Consul'], wakeAt: plus(gaveBackAt, AGAIN_MILLIS) };
    }
    const directory = control(view);
    const endedCleanly = role(view) === 'down' && directory?.state === 'shut down';
    const lsn = endedCleanly ? directory.checkpointLsn : undefined;
    return {
      why: `${why}; it is given back`,
      actions: [{ kind: 'give-back', lsn, exclude: [view.self] }],
      memory: { ...memory, gaveBackAt: view.now },
    };
  },
};
