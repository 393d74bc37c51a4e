import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aHost,
  aLease,
  aMember,
  anEmptyRecord,
  aRecord,
  asked,
  aView,
  command,
  holding,
  noAnswer,
  opinion,
  present,
  primary,
  seen,
  SELF,
  SILENCE_MILLIS,
  standby,
} from '../../harness/views.ts';

const wish = command({ kind: 'abandon' });
const pausedLease = (given: Partial<ClusterRecord> = {}): ClusterRecord =>
  aRecord({ lease: present(aLease({ paused: true }), 20), leader: ABSENT, ...given });
const silent = seen(pausedLease(), SILENCE_MILLIS);
const refused = (message: unknown) =>
  ({
    kind: 'answer',
    commandId: 9,
    answer: { kind: 'refused', cause: 'precondition', message },
  }) as never;
const beats = 'pg1 beats; "pgbaton resume" without --force is enough';

decides([
  {
    when: 'asks the members first',
    view: aView(silent, standby(), wish),
    rule: 'R260',
    actions: ['canvass'],
    why: /whether pg1 is down indeed/,
  },
  {
    when: 'waits for their answers',
    view: aView(silent, standby(), wish, {
      canvass: { askedAt: aView(wish).now, finishedAt: undefined, opinions: [] },
    }),
    rule: 'R260',
    waitsFor: /their answers/,
  },
  {
    when: 'gives the lease up when nobody knows better',
    view: aView(silent, standby(), wish, asked(noAnswer('pg1'), opinion('pg3'))),
    rule: 'R260',
    actions: [{ kind: 'abandon', commandId: 9, holder: 'pg1' }],
    why: /because an operator says that its Postgres is down/,
  },
  {
    when: 'refuses where the holder answers that it holds the lease',
    view: aView(
      silent,
      standby(),
      wish,
      asked(opinion('pg1', { holdsLease: { id: 'g5', n: 5 } }), opinion('pg3')),
    ),
    rule: 'R260',
    actions: [refused('pg1 answers and says that it holds the lease: its Postgres is not down')],
  },
  {
    when: 'refuses where the holder answers that its Postgres is a primary',
    view: aView(silent, standby(), wish, asked(opinion('pg1', { role: 'primary' }))),
    rule: 'R260',
    actions: ['answer'],
    why: /not down/,
  },
  {
    when: 'refuses while the holder beats',
    view: aView(seen(pausedLease(), 500), standby(), wish),
    rule: 'R260',
    actions: [refused(beats)],
  },
  {
    when: 'refuses on the holder itself',
    view: aView(holding({ paused: true }), seen(pausedLease(), 500), primary(), wish),
    rule: 'R260',
    actions: ['answer'],
    why: /holds the lease itself/,
  },
  {
    when: 'refuses where the lease is not paused',
    view: aView(seen(aRecord(), SILENCE_MILLIS), standby(), wish),
    rule: 'R260',
    actions: [refused('the lease is not paused')],
  },
  {
    when: 'refuses where Consul has lost the lease of which this host knows that it is paused',
    view: aView(
      seen(anEmptyRecord({ members: [aMember(SELF)] }), SILENCE_MILLIS),
      standby(),
      wish,
      { host: aHost({ paused: { n: 5, id: 'g5', beat: 7 } }) },
    ),
    rule: 'R260',
    actions: ['answer'],
    why: /"pgbaton failover --candidate MEMBER --force"/,
  },
  {
    when: 'is no wish of anybody who does not say so',
    view: aView(silent, standby(), asked(noAnswer('pg1'), opinion('pg3'))),
    rule: 'R590',
    why: /is paused/,
  },
]);
