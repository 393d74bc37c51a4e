import { decides } from '../../harness/rule-table.ts';
import {
  aView,
  ago,
  command,
  down,
  holding,
  lapsed,
  running,
  seen,
  aRecord,
  SILENCE_MILLIS,
  silent,
  standby,
  withoutData,
} from '../../harness/views.ts';

const stopping = command({ kind: 'shutdown' });

decides([
  {
    when: 'waits for a start and says so',
    view: aView(silent(), running('start')),
    rule: 'R160',
    why: /start is under way/,
    waitsFor: /the end of start/,
  },
  {
    when: 'shows the progress of a clone',
    view: aView(withoutData(), {
      job: { kind: 'clone', startedAt: ago(9000), progress: '40 %' },
    }),
    rule: 'R160',
    why: /clone is under way: 40 %/,
  },
  {
    when: 'does not take over while a job has Postgres in its hands',
    view: aView(seen(aRecord(), SILENCE_MILLIS), running('stop')),
    rule: 'R160',
  },
  {
    when: 'takes part in an election while it merely looks for evidence',
    view: aView(seen(aRecord(), SILENCE_MILLIS), running('diagnose')),
    rule: 'R410',
    actions: ['canvass'],
  },
  {
    when: 'waits for the evidence while a leader lives',
    view: aView(seen(aRecord(), 200), running('diagnose')),
    rule: 'R160',
  },
  {
    when: 'waits for the evidence in an election that it takes no part in: Postgres is down',
    view: aView(down(), seen(aRecord(), SILENCE_MILLIS), running('diagnose')),
    rule: 'R160',
  },
  {
    when: 'breaks a look for evidence off once it has won the lease',
    view: aView(holding(), standby(), running('diagnose')),
    rule: 'R160',
    actions: [{ kind: 'cancel-job' }],
  },
  {
    when: 'breaks a look for evidence off when the process is to stop',
    view: aView(running('diagnose'), stopping),
    rule: 'R160',
    actions: [{ kind: 'cancel-job' }],
  },
  {
    when: 'never breaks a start off that the lease was won during',
    view: aView(holding(), silent(), running('start')),
    rule: 'R160',
  },
  {
    when: 'does not promote twice',
    view: aView(holding(), standby(), running('promote')),
    rule: 'R160',
  },
  {
    when: 'breaks a clone off when the process is to stop',
    view: aView(withoutData(), running('clone'), stopping),
    rule: 'R160',
    actions: [{ kind: 'cancel-job' }],
  },
  {
    when: 'breaks an initdb off when the process is to stop',
    view: aView(holding(), withoutData(), running('initialise'), stopping),
    rule: 'R160',
    actions: [{ kind: 'cancel-job' }],
  },
  {
    when: 'never breaks a rewind off: half a rewind is no data directory',
    view: aView(down(), running('rewind'), stopping),
    rule: 'R160',
  },
  {
    when: 'never breaks a promotion off',
    view: aView(holding(), standby(), running('promote'), stopping),
    rule: 'R160',
  },
  {
    when: 'gives way to the fence when the lease ends during a promotion',
    view: aView(lapsed(), standby(), running('promote')),
    rule: 'R110',
    actions: ['fence'],
  },
  { when: 'follows instead when no job runs', view: aView(standby()), rule: 'R530' },
]);
