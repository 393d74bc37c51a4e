import { DEFAULT_TIMING } from '../../../src/core/timing.ts';
import { decides } from '../../harness/rule-table.ts';
import { ahead, aView, down, holding, standby } from '../../harness/views.ts';

// 1. Heartbeats fail; the agent fences Postgres before the lease ends: 700 ms are left of it.
// 2. The leader's Postgres is down and would be started in place: to be fenced while it recovers.
const { heartbeatMillis, fenceBudgetMillis } = DEFAULT_TIMING;
const ENOUGH_MILLIS = 2 * heartbeatMillis + fenceBudgetMillis;
const fenced = down({ state: 'in production' }, 'fenced');

decides([
  {
    when: 'nothing is started under what is left of a lease that nobody renews',
    view: aView(holding({ end: ahead(700) }), fenced),
    rule: 'R310',
    why: /ends in 700 ms, too soon/,
  },
  {
    when: 'nor is anything promoted',
    view: aView(holding({ end: ahead(ENOUGH_MILLIS - 1) }), standby()),
    rule: 'R320',
    why: /too soon/,
  },
  {
    when: 'it is started again as soon as the lease is renewed',
    view: aView(holding({ end: ahead(ENOUGH_MILLIS) }), fenced),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
]);
