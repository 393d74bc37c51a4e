import { change } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { DENSE } from './plans.ts';

const HOLDS = 'src/guardian/watchdog.ts';
const PLAN = { ...DENSE, watchdog: 'required' } as const;

/** The third line of defence: what ends a server whose agent and guardian do not get to run. */
export const WATCHDOG_MUTANTS: readonly Mutant[] = [
  {
    name: 'pinged-up-to-the-end-of-the-lease',
    rule: 'P18: a ping keeps the host alive beyond the lease',
    changes: [
      change(
        'src/core/watchdog.ts',
        'plus(resetBy(end, fenceBudgetMillis), -timeoutMillis)',
        'plus(resetBy(end, fenceBudgetMillis), -timeoutMillis / 4)',
      ),
    ],
    seeds: 100,
    shows: ['B'],
    faults: ['pause-guards', 'isolate', 'pause-agent'],
    plan: PLAN,
  },
  {
    name: 'pinged-for-as-long-as-it-lives',
    rule: 'P18: the guardian pings whatever is left of the lease',
    changes: [
      change(HOLDS, 'if (leftMillis < 0) return;', ''),
      change(HOLDS, 'if (at > this.#lastPingAllowedAt) return;', ''),
    ],
    seeds: 100,
    shows: ['B'],
    faults: ['pause-guards', 'isolate', 'pause-agent'],
    plan: PLAN,
  },
  {
    name: 'promoted-before-the-device-counts',
    rule: 'P18: a promotion does not wait for the device that is required',
    changes: [
      change(
        'src/agent/promotion.ts',
        "watchdog?.kind !== 'open'",
        "watchdog?.kind === 'unusable'",
      ),
      change(
        'src/agent/arming.ts',
        'guardian.arm(armed, watchdog)',
        'guardian.arm(armed, this.#state.writableUnder === held.id ? watchdog : undefined)',
      ),
    ],
    seeds: 100,
    shows: ['B'],
    faults: ['pause-guards', 'watchdog-trouble', 'switchover'],
    plan: PLAN,
  },
  {
    name: 'leads-on-without-its-watchdog',
    rule: 'P18: a leader whose device is required and has failed goes on',
    changes: [
      change(
        'src/core/rules/145-watchdog-lost.ts',
        'if (!holdsLease(view) ||',
        'if (view.held?.id !== undefined ||',
      ),
    ],
    seeds: 100,
    shows: ['B'],
    faults: ['pause-guards', 'watchdog-trouble'],
    plan: PLAN,
  },
];
