import { decides } from '../../harness/rule-table.ts';
import {
  aHost,
  aRecord,
  aView,
  anEmptyRecord,
  command,
  down,
  garbled,
  holding,
  present,
  primary,
  running,
  seen,
  standby,
} from '../../harness/views.ts';

const OTHER = '1111111111111111111';
const stop = { kind: 'stop', mode: 'fast' } as const;

decides([
  {
    when: 'stops a standby of another system',
    view: aView(standby({ systemIdentifier: OTHER })),
    rule: 'R140',
    actions: [stop],
    waitsFor: /pgbaton does not touch it/,
  },
  {
    when: 'stops a leader of another system',
    view: aView(holding(), primary({ systemIdentifier: OTHER })),
    rule: 'R140',
    actions: [stop],
  },
  {
    when: 'neither starts nor replaces stopped data of another system',
    view: aView(down({ systemIdentifier: OTHER })),
    rule: 'R140',
  },
  {
    when: 'sets aside what it made itself, when another member founded the cluster',
    view: aView(down({ systemIdentifier: OTHER }), { host: aHost({ founding: OTHER }) }),
    rule: 'R140',
    actions: [{ kind: 'set-aside', reason: 'superseded' }],
  },
  {
    when: 'orders nothing while a job has that directory in its hands',
    view: aView(down({ systemIdentifier: OTHER }), running('start'), {
      host: aHost({ founding: OTHER }),
    }),
    rule: 'R140',
    why: /is set aside/,
  },
  {
    when: 'does not set it aside while it holds the lease',
    view: aView(holding(), down({ systemIdentifier: OTHER }), {
      host: aHost({ founding: OTHER }),
    }),
    rule: 'R140',
    actions: ['release'],
  },
  {
    when: 'releases the lease once such a leader is down',
    view: aView(holding(), down({ systemIdentifier: OTHER })),
    rule: 'R140',
    actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] }],
  },
  {
    when: 'lets the agent be stopped',
    view: aView(down({ systemIdentifier: OTHER }), command({ kind: 'shutdown' })),
    rule: 'R220',
    actions: [{ kind: 'leave' }],
  },
  { when: 'follows instead on the same system', view: aView(standby()), rule: 'R530' },
  {
    when: 'does not judge while the cluster is being founded',
    view: aView(
      standby({ systemIdentifier: OTHER }),
      seen(aRecord({ initialize: present('') }), 200),
    ),
    rule: 'R530',
  },
  {
    when: 'does not judge by a key that nobody can read',
    view: aView(
      standby({ systemIdentifier: OTHER }),
      seen(aRecord({ initialize: garbled() }), 200),
    ),
    rule: 'R530',
  },
  {
    when: 'does not judge by an empty store',
    view: aView(standby({ systemIdentifier: OTHER }), seen(anEmptyRecord(), 200)),
    rule: 'R590',
  },
]);
