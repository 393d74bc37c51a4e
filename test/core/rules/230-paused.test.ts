import { ABSENT } from '../../../src/core/cluster.ts';
import { decides } from '../../harness/rule-table.ts';
import { inMaintenance } from '../../harness/settings.ts';
import {
  aGeneration,
  aLease,
  aRecord,
  ago,
  asked,
  aView,
  command,
  holding,
  opinion,
  ownRecord,
  present,
  primary,
  seen,
  SELF,
  SILENCE_MILLIS,
  standby,
} from '../../harness/views.ts';

const pausedLease = { lease: present(aLease({ paused: true }), 20), leader: ABSENT };
const refusal = (message: unknown) =>
  [
    {
      kind: 'answer',
      commandId: 9,
      answer: { kind: 'refused', cause: 'precondition', message },
    },
  ] as never;

decides([
  {
    when: 'wants a candidate for a switchover in maintenance mode',
    view: aView(
      holding({ paused: true }),
      primary(),
      command({ kind: 'switchover', candidate: undefined }),
      inMaintenance(),
    ),
    rule: 'R230',
    actions: refusal('Switchover is possible only to a specific candidate in a paused state'),
  },
  {
    when: 'switches over to a named candidate in maintenance mode',
    view: aView(
      holding({ paused: true }),
      primary(),
      command({ kind: 'switchover', candidate: 'pg3' }),
      asked(opinion('pg1'), opinion('pg3')),
      inMaintenance(),
    ),
    rule: 'R230',
    remembers: { handover: { candidate: 'pg3', reason: 'switchover' } },
  },
  {
    when: 'refuses while Consul does not acknowledge heartbeats, though a paused lease needs none',
    view: aView(
      holding({
        paused: true,
        sent: [{ beat: 8, sentAt: ago(400), ttlMillis: 3000, paused: true }],
      }),
      seen(ownRecord(), 500),
      primary(),
      command({ kind: 'switchover', candidate: 'pg3' }),
      inMaintenance(),
    ),
    rule: 'R230',
    why: /does not acknowledge heartbeats/,
    actions: ['answer'],
  },
  {
    when: 'refuses a failover past a paused lease until an operator answers for it',
    view: aView(
      seen(aRecord(pausedLease), SILENCE_MILLIS),
      standby(),
      command({ kind: 'failover', candidate: SELF }),
    ),
    rule: 'R230',
    actions: refusal(
      'the lease of pg1 is paused, so pg1 may accept writes for as long as its Postgres runs, whoever can see it; first make sure that Postgres of pg1 is down, then say so: "pgbaton failover --candidate pg2 --force"',
    ),
  },
  {
    when: 'needs nobody to answer for its own lapsed lease',
    view: aView(
      seen(
        aRecord({ ...pausedLease, generation: present(aGeneration({ holder: SELF }), 15) }),
        SILENCE_MILLIS,
      ),
      standby(),
      asked(opinion('pg3')),
      command({ kind: 'failover', candidate: SELF }),
      { lapsedId: 'g5' },
    ),
    rule: 'R410',
    actions: ['takeover'],
  },
]);
