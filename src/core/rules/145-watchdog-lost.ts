import type { Action } from '../action.ts';
import type { Rule } from '../decision.ts';
import { holdsLease, role } from '../facts.ts';
import { isPaused } from '../pause.ts';
import type { View } from '../view.ts';
import { watchdogFault } from '../watchdog.ts';

/** P18: who has to have a watchdog leads with one, or not at all. In maintenance mode it is not used. */
export const watchdogLost: Rule = {
  number: 145,
  name: 'watchdog-lost',
  when: 'the lease is held, `watchdog.mode` is required, and the device cannot be used',
  evaluate(view) {
    if (!holdsLease(view) || view.held?.paused === true || isPaused(view)) return undefined;
    const fault = watchdogFault(view.settings.watchdog, view.watchdog);
    // What is not known yet ends by itself, and a job that makes nothing writable is waited for.
    if (fault === undefined || view.watchdog?.kind !== 'unusable' || isHarmless(view)) {
      return undefined;
    }
    return {
      why: `${fault}: Postgres is fenced and the lease released to the others`,
      actions: [...(role(view) === 'down' ? [] : [FENCE]), RELEASE(view.self)],
    };
  },
};

function isHarmless({ job, ...view }: View): boolean {
  if (job === undefined || job.kind === 'promote' || job.kind === 'finish-bootstrap') return false;
  return role({ ...view, job }) !== 'primary';
}

const FENCE: Action = { kind: 'fence', cause: 'watchdog-lost' };

const RELEASE = (self: string): Action => ({
  kind: 'release',
  handoff: undefined,
  lsn: undefined,
  exclude: [self],
});
