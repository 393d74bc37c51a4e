import { decides } from '../../harness/rule-table.ts';
import {
  aView,
  command,
  down,
  holding,
  seen,
  aRecord,
  SILENCE_MILLIS,
} from '../../harness/views.ts';

const unknown = { postmaster: { kind: 'unknown' } } as const;

decides([
  {
    when: 'does nothing before the guardian was looked at',
    view: aView(unknown, seen(aRecord(), SILENCE_MILLIS)),
    rule: 'R170',
    waitsFor: /look/,
  },
  {
    when: 'does nothing before the data directory was looked at',
    view: aView(down(), { directory: undefined }),
    rule: 'R170',
  },
  {
    when: 'starts nothing under a lease that it found on its host either',
    view: aView(holding(), down(), { directory: undefined }),
    rule: 'R170',
  },
  {
    when: 'does not leave before it knows what runs',
    view: aView(unknown, command({ kind: 'shutdown' })),
    rule: 'R170',
  },
  {
    when: 'rejoins instead once both are known',
    view: aView(down()),
    rule: 'R520',
    actions: ['diagnose'],
  },
]);
