import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aView,
  ago,
  ahead,
  asked,
  holding,
  lapsed,
  noAnswer,
  observed,
  opinion,
  silent,
} from '../../harness/views.ts';

decides([
  {
    when: 'gives a server that starts the time that it may take',
    view: aView(holding(), silent(1000)),
    rule: 'R330',
    why: /the database system is starting up/,
    waitsFor: /Postgres to answer/,
    wakeAt: ahead(100),
  },
  {
    when: 'asks who can take over when it takes longer than primary_start_timeout',
    view: aView(holding(), silent(300_001)),
    rule: 'R330',
    actions: ['canvass'],
  },
  {
    when: 'lets it go on when nobody else could lead: killed, it would begin from the start',
    view: aView(holding(), silent(300_001), asked(noAnswer('pg1'))),
    rule: 'R330',
    why: /nobody else can take over: the database system is starting up/,
    wakeAt: ahead(100),
  },
  {
    when: 'does not kill a server that turns the agent away: it serves others',
    view: aView(holding(), silent(300_001), asked(opinion('pg1')), {
      probe: observed({ kind: 'refusing', reason: 'sorry, too many clients already' }),
    }),
    rule: 'R330',
    why: /too many clients/,
  },
  {
    when: 'fences and releases when somebody can',
    view: aView(holding(), silent(300_001), asked(opinion('pg1'))),
    rule: 'R330',
    actions: [
      { kind: 'fence', cause: 'start-timeout' },
      { kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] },
    ],
  },
  {
    when: 'does not kill a server for one answer that it missed, however long it has run',
    view: aView(holding(), silent(86_400_000), { answeredAt: ago(1000) }),
    rule: 'R330',
  },
  {
    when: 'fences and releases when it has not answered for longer than primary_start_timeout',
    view: aView(holding(), silent(86_400_000), asked(opinion('pg1')), { answeredAt: ago(300_001) }),
    rule: 'R330',
    actions: ['fence', 'release'],
  },
  {
    when: 'still waits at primary_start_timeout',
    view: aView(holding(), silent(300_000)),
    rule: 'R330',
  },
  {
    when: 'waits without a bound when primary_start_timeout is 0 and nothing crashed',
    view: aView(holding(), silent(900_000), {
      settings: someSettings({ timing: { primaryStartTimeoutMillis: 0 } }),
    }),
    rule: 'R330',
  },
  {
    when: 'holds instead without a lease: it was started as a standby',
    view: aView(lapsed(), silent(300_001)),
    rule: 'R900',
  },
]);
