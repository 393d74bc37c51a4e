import { decides } from '../../harness/rule-table.ts';
import {
  ago,
  ahead,
  aMemory,
  aMember,
  aView,
  down,
  holding,
  ownRecord,
  seen,
  SELF,
} from '../../harness/views.ts';
import type { Memory } from '../../../src/core/memory.ts';

// 1. An operator restarts the leader, after a change to its configuration, say.
// 2. Postgres stops, and does not come up again. Each failed start is a job of its own.
// 3. "It was asked for" excuses the stop, not that there is no primary from then on.
const restarting = (count: number, lastAgoMillis: number): Memory =>
  aMemory({
    restart: { commandId: 1, since: ago(600_000), stopped: true },
    failures: { kind: 'start', count, lastAt: ago(lastAgoMillis), code: 'postgres-start-failed' },
  });
const alone = seen(ownRecord({ members: [aMember(SELF, { role: 'primary' })] }), 500);

decides([
  {
    when: 'a restart that was asked for and fails again and again is handed over',
    view: aView(holding(), down()),
    memory: restarting(3, 60_000),
    rule: 'R310',
    actions: ['release'],
  },
  {
    when: 'its first failure is tried again, after a pause',
    view: aView(holding(), down()),
    memory: restarting(1, 400),
    rule: 'R310',
    wakeAt: ahead(600),
  },
  {
    when: 'a member that is alone goes on trying',
    view: aView(holding(), alone, down()),
    memory: restarting(50, 60_000),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
]);
