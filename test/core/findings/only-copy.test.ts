import { silentFor } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { ago, aMemory, aView, down } from '../../harness/views.ts';

// 1. pg2 has fallen behind; its leader no longer has the log: it is to be cloned anew, and stops.
// 2. The leader dies before the clone begins. pg2 has the only copy that is left.
const RECLONE = aMemory({
  reclone: { since: ago(60_000), why: 'pg1 no longer has the log', fromLeader: true },
});

decides([
  {
    when: 'a copy that was to be replaced is started when there is no leader left to clone from',
    view: aView(silentFor(60_000), down()),
    memory: RECLONE,
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'it is replaced while a leader serves',
    view: aView(down()),
    memory: RECLONE,
    rule: 'R510',
    actions: ['clone'],
  },
]);
