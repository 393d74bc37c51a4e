import { decides } from '../../harness/rule-table.ts';
import { aView, down, holding, standby } from '../../harness/views.ts';

const foreign = { postmaster: { kind: 'foreign', pid: 77 } } as const;

decides([
  {
    when: 'fences a server that no guardian of ours started',
    view: aView(standby(), foreign),
    rule: 'R120',
    actions: [{ kind: 'fence', cause: 'foreign-postmaster' }],
    why: /process 77/,
    waitsFor: /disable whatever starts Postgres/,
  },
  {
    when: 'fences it with a lease, too: nothing would stop it in time',
    view: aView(holding(), foreign),
    rule: 'R120',
    actions: [{ kind: 'fence', cause: 'foreign-postmaster' }],
  },
  {
    when: 'leaves alone what our guardian started',
    view: aView(standby()),
    rule: 'R530',
  },
  {
    when: 'compares histories instead when nothing runs',
    view: aView(down()),
    rule: 'R520',
    actions: ['diagnose'],
  },
]);
