import { expect } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aMember,
  aView,
  ago,
  ahead,
  anEmptyRecord,
  asked,
  command,
  holding,
  lapsed,
  noAnswer,
  opinion,
  ownRecord,
  primary,
  released,
  seen,
  aRecord,
  silent,
  SELF,
  SILENCE_MILLIS,
  standby,
} from '../../harness/views.ts';

const to = (candidate?: string) => command({ kind: 'switchover', candidate });
const toSince = (millisAgo: number, candidate: string) =>
  command({ kind: 'switchover', candidate }, millisAgo);
const BEHIND = opinion('pg3', { timeline: 2 });
const failTo = (candidate?: string) => command({ kind: 'failover', candidate });
const leads = [holding(), primary()] as const;
/** The command of these rows was given 40 ms ago. */
const won = (millisAgo: number) => holding({ wonAt: ago(millisAgo) });

const answered = (cause: 'precondition' | 'invalid', message: unknown) => [
  {
    kind: 'answer' as const,
    commandId: 9,
    answer: { kind: 'refused' as const, cause, message: message as string },
  },
];

const refused = (given: {
  when: string;
  view: ReturnType<typeof aView>;
  why: RegExp;
  invalid?: true;
}) => ({
  when: given.when,
  view: given.view,
  why: given.why,
  rule: 'R230',
  actions: answered(
    given.invalid === true ? 'invalid' : 'precondition',
    expect.stringMatching(given.why),
  ),
});

decides([
  {
    when: 'asks the members before a switchover',
    view: aView(...leads, to('pg3')),
    rule: 'R230',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'does not rely on answers from before the command',
    view: aView(...leads, to('pg3'), {
      canvass: { askedAt: ago(41), finishedAt: ago(35), opinions: [opinion('pg3')] },
    }),
    rule: 'R230',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'waits for the answers',
    view: aView(...leads, to('pg3'), {
      canvass: { askedAt: ago(20), finishedAt: undefined, opinions: [] },
    }),
    rule: 'R230',
    waitsFor: /their answers/,
  },
  {
    when: 'begins a hand-over to the named candidate',
    view: aView(...leads, to('pg3'), asked(opinion('pg1'), opinion('pg3'))),
    rule: 'R230',
    remembers: { handover: { candidate: 'pg3', reason: 'switchover', commandId: 9 } },
  },
  {
    when: 'chooses the one with the longest log when nobody is named',
    view: aView(...leads, to(), asked(opinion('pg1', { lsn: lsn(0x4fffff0n) }), opinion('pg3'))),
    rule: 'R230',
    remembers: { handover: { candidate: 'pg3' } },
  },
  {
    when: 'puts the priority of the operator before a few bytes',
    view: aView(
      ...leads,
      to(),
      asked(opinion('pg1', { lsn: lsn(0x4fffff0n), failoverPriority: 2 }), opinion('pg3')),
    ),
    rule: 'R230',
    remembers: { handover: { candidate: 'pg1' } },
  },
  refused({
    when: 'refuses a candidate that does not answer',
    view: aView(...leads, to('pg3'), asked(opinion('pg1'), noAnswer('pg3'))),
    why: /pg3: does not answer/,
  }),
  refused({
    when: 'refuses a candidate on another timeline',
    view: aView(...leads, to('pg3'), asked(opinion('pg3', { timeline: 4 }))),
    why: /pg3: is on timeline 4, not 3/,
  }),
  {
    when: 'waits a moment for a standby that has not followed the newest timeline yet',
    view: aView(...leads, to('pg3'), asked(opinion('pg3', { timeline: 2 }))),
    rule: 'R230',
    why: /pg3 is about to reach timeline 3/,
    waitsFor: /newest timeline/,
    wakeAt: ahead(200),
  },
  {
    when: 'asks it again meanwhile',
    view: aView(...leads, toSince(1000, 'pg3'), {
      canvass: { askedAt: ago(200), finishedAt: ago(190), opinions: [BEHIND] },
    }),
    rule: 'R230',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'waits for whoever is about to reach it when nobody is named and nobody can',
    view: aView(...leads, to(), asked(noAnswer('pg1'), BEHIND)),
    rule: 'R230',
    why: /pg3 is about to reach timeline 3/,
  },
  {
    when: 'waits for nobody when another can take it',
    view: aView(...leads, to(), asked(opinion('pg1'), BEHIND)),
    rule: 'R230',
    remembers: { handover: { candidate: 'pg1' } },
  },
  refused({
    when: 'does not wait for another than the named candidate',
    view: aView(...leads, to('pg1'), asked(noAnswer('pg1'), BEHIND)),
    why: /pg1: does not answer/,
  }),
  refused({
    when: 'refuses a candidate that is still on another timeline after a while',
    view: aView(...leads, toSince(3001, 'pg3'), asked(BEHIND)),
    why: /pg3: is on timeline 2, not 3/,
  }),
  refused({
    when: 'refuses a candidate that still lags too far after three seconds',
    view: aView(...leads, toSince(3001, 'pg3'), asked(opinion('pg3', { lsn: lsn(0x3000000n) }))),
    why: /maximum_lag_on_failover/,
  }),
  {
    when: 'waits a moment for a candidate that catches up',
    view: aView(...leads, to('pg3'), asked(opinion('pg3', { lsn: lsn(0x3000000n) }))),
    rule: 'R230',
    why: /pg3 is about to reach/,
    wakeAt: ahead(200),
    waitsFor: /catch up/,
  },
  refused({
    when: 'refuses a candidate that says that it cannot take over',
    view: aView(
      ...leads,
      to('pg3'),
      asked(opinion('pg3', { canTakeOver: { able: false, why: 'tagged nofailover' } })),
    ),
    why: /pg3: tagged nofailover/,
  }),
  refused({
    when: 'refuses a candidate that nobody knows',
    view: aView(...leads, to('pg9')),
    why: /no member is called pg9; members: pg1, pg2, pg3/,
  }),
  refused({
    when: 'refuses the leader itself',
    view: aView(...leads, to(SELF)),
    why: /pg2 is the leader already/,
    invalid: true,
  }),
  refused({
    when: 'refuses when there is no other member',
    view: aView(
      ...leads,
      seen(ownRecord({ members: [aMember(SELF, { role: 'primary' })] }), 500),
      to(),
    ),
    why: /no other member/,
  }),
  refused({
    when: 'refuses while Consul does not acknowledge heartbeats',
    view: aView(
      holding({ sent: [{ beat: 8, sentAt: ago(301), ttlMillis: 3000 }] }),
      primary(),
      to('pg3'),
    ),
    why: /Consul does not acknowledge heartbeats/,
  }),
  refused({
    when: 'refuses while the Postgres of the leader is not running',
    view: aView(holding(), silent(), to('pg3')),
    why: /unanswered, not a running primary/,
  }),
  refused({
    when: 'refuses a switchover on a member that does not lead',
    view: aView(standby(), to('pg3')),
    why: /this member is not the leader, pg1 is/,
  }),
  refused({
    when: 'refuses a switchover without a leader',
    view: aView(standby(), seen(aRecord({ lease: released() }), 200), to('pg3')),
    why: /has no leader; use failover/,
  }),
  refused({
    when: 'refuses a failover that another member must do',
    view: aView(standby(), failTo('pg3')),
    why: /ask pg3 itself/,
  }),
  refused({
    when: 'refuses before the cluster exists',
    view: aView(standby(), seen(anEmptyRecord(), 200), to('pg3')),
    why: /not bootstrapped yet/,
  }),
  refused({
    when: 'refuses before Consul was read: unknown is not no',
    view: aView(standby(), { cluster: undefined, observation: undefined }, to('pg3')),
    why: /Consul has not been read yet/,
  }),
  {
    when: 'lets a failover to itself that was won promote before it is answered',
    view: aView(won(20), standby(), failTo(SELF)),
    rule: 'R320',
    actions: ['promote'],
  },
  {
    when: 'answers a failover to itself once it serves',
    view: aView(won(20), primary(), failTo(SELF)),
    rule: 'R230',
    actions: [
      {
        kind: 'answer',
        commandId: 9,
        answer: { kind: 'done', message: 'Failed over to "pg2"' },
      },
    ],
  },
  refused({
    when: 'refuses a failover to itself when it led before it was asked',
    view: aView(won(41), primary(), failTo(SELF)),
    why: /pg2 is the leader already/,
    invalid: true,
  }),
  refused({
    when: 'refuses a failover to itself under a lease that it was not asked to win: an adopted one',
    view: aView(holding({ wonAt: undefined }), primary(), failTo(SELF)),
    why: /pg2 is the leader already/,
    invalid: true,
  }),
  refused({
    when: 'does not take a switchover to itself for one that it has won',
    view: aView(won(20), primary(), to(SELF)),
    why: /pg2 is the leader already/,
    invalid: true,
  }),
  {
    when: 'gives a failover to itself the chance that the leader is dead',
    view: aView(standby(), failTo(SELF)),
    rule: 'R530',
  },
  refused({
    when: 'refuses a failover to itself when the leader still serves after two leases',
    view: aView(standby(), command({ kind: 'failover', candidate: SELF }, 6001)),
    why: /pg1 leads and renews its lease/,
  }),
  {
    when: 'goes on with a failover to itself when the lease is over, though the key of the leader is still there',
    view: aView(
      standby(),
      seen(aRecord(), SILENCE_MILLIS),
      command({ kind: 'failover', candidate: SELF }, 6001),
    ),
    rule: 'R410',
    actions: ['canvass'],
  },
  {
    when: 'gives way to the fence',
    view: aView(lapsed(), primary(), to('pg3')),
    rule: 'R110',
    actions: ['fence'],
  },
]);
