import type { View } from '../../../src/core/view.ts';
import { orphaned } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import { aSyncKey } from '../../harness/sync-views.ts';
import {
  aView,
  ago,
  ahead,
  asked,
  command,
  holding,
  noAnswer,
  observed,
  opinion,
  ownRecord,
  present,
  primary,
  running,
  seen,
  silent,
  standby,
} from '../../harness/views.ts';

const KILL = { kind: 'fence', cause: 'hung' } as const;
const RELEASE = { kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] } as const;

/** Nobody there has answered for as long as is borne with; it had answered before. */
const hangs = (given: Partial<View> = {}): Partial<View> => ({
  ...silent(86_400_000),
  probe: observed({ kind: 'silent', reason: 'no answer within 4000 ms' }),
  answeredAt: ago(11_000),
  aliveAt: ago(11_000),
  silence: { probes: 4, waitedMillis: 10_000 },
  ...given,
});
const able = opinion('pg1');
const unable = opinion('pg3', { canTakeOver: { able: false, why: 'tagged nofailover' } });

decides([
  {
    when: 'asks who can take over before it kills the server of a leader',
    view: aView(holding(), hangs()),
    rule: 'R180',
    why: /answered nobody for 10 s \(4 probes\), longer than primary_hang_timeout of 10 s: asks/,
    actions: ['canvass'],
  },
  {
    when: 'waits for their answers',
    view: aView(holding(), hangs(), {
      canvass: { askedAt: ago(30), finishedAt: undefined, opinions: [] },
    }),
    rule: 'R180',
    waitsFor: /answers/,
    wakeAt: ahead(100),
  },
  {
    when: 'asks again when the answers are old',
    view: aView(holding(), hangs(), {
      canvass: { askedAt: ago(2001), finishedAt: ago(1900), opinions: [able] },
    }),
    rule: 'R180',
    actions: ['canvass'],
  },
  {
    when: 'kills it and hands the lease over to who can take it',
    view: aView(holding(), hangs(), asked(able, unable)),
    rule: 'R180',
    why: /handed over to pg1$/,
    actions: [KILL, RELEASE],
  },
  {
    when: 'kills it and starts it again here when nobody can take over',
    view: aView(holding(), hangs(), asked(unable, noAnswer('pg1'))),
    rule: 'R180',
    why: /nobody else can take over/,
    actions: [KILL],
  },
  {
    when: 'does not count on a release while Consul does not answer',
    view: aView(holding({ sent: [{ beat: 8, sentAt: ago(1000), ttlMillis: 3000 }] }), hangs()),
    rule: 'R180',
    actions: [KILL],
  },
  {
    when: 'hands over to a voter in synchronous_mode',
    view: aView(
      holding(),
      seen(ownRecord({ sync: present(aSyncKey({ standbys: ['pg1'] }), 40) }), 500),
      hangs(),
      asked(able),
    ),
    rule: 'R180',
    actions: [KILL, RELEASE],
  },
  {
    when: 'does not hand over to one that no commit has waited for',
    view: aView(
      holding(),
      seen(ownRecord({ sync: present(aSyncKey({ standbys: ['pg3'] }), 40) }), 500),
      hangs(),
      asked(able, noAnswer('pg3')),
    ),
    rule: 'R180',
    actions: [KILL],
  },
  {
    when: 'counts the voters of a quorum',
    view: aView(
      holding(),
      seen(
        ownRecord({ sync: present(aSyncKey({ standbys: ['pg1', 'pg3'], quorum: 1 }), 40) }),
        500,
      ),
      hangs(),
      asked(able, noAnswer('pg3')),
    ),
    rule: 'R180',
    actions: [KILL],
  },
  {
    when: 'kills a postmaster that takes no new connection, though its sessions go on',
    view: aView(holding(), primary(), asked(able), {
      silence: { probes: 6, waitedMillis: 11_000 },
    }),
    rule: 'R180',
    why: /has taken no new connection for 11 s/,
    actions: [KILL, RELEASE],
  },
  {
    when: 'comes before a hand-over, which would wait for the server to stop',
    view: aView(holding(), hangs(), asked(able), command({ kind: 'shutdown' })),
    rule: 'R180',
    actions: [KILL, RELEASE],
  },
  {
    when: 'kills a standby, which is started again',
    view: aView(hangs()),
    rule: 'R180',
    why: /killed and started again$/,
    actions: [KILL],
  },
  {
    when: 'and one whose postmaster takes no connection',
    view: aView(standby(), { silence: { probes: 6, waitedMillis: 11_000 } }),
    rule: 'R180',
    actions: [KILL],
  },
  {
    when: 'does not count time in which few probes were put',
    view: aView(holding(), hangs({ silence: { probes: 2, waitedMillis: 20_000 } })),
    rule: 'R330',
  },
  {
    when: 'does not kill it one millisecond before the time',
    view: aView(holding(), hangs({ silence: { probes: 4, waitedMillis: 9999 } })),
    rule: 'R330',
  },
  {
    when: 'does not kill one that answers again',
    view: aView(holding(), primary(), { silence: undefined }),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
  {
    when: 'does not kill one that has just been started and listens already',
    view: aView(holding(), silent(20_000), {
      aliveAt: undefined,
      silence: { probes: 5, waitedMillis: 15_000 },
    }),
    rule: 'R330',
  },
  {
    when: 'kills one that this process has never heard, when it was started long ago',
    view: aView(holding(), hangs({ aliveAt: undefined, answeredAt: undefined }), asked(able)),
    rule: 'R180',
    actions: [KILL, RELEASE],
  },
  {
    when: 'waits for ever when primary_hang_timeout is 0',
    view: aView(holding(), hangs({ silence: { probes: 99, waitedMillis: 200_000 } }), {
      settings: someSettings({ timing: { primaryHangTimeoutMillis: 0 } }),
    }),
    rule: 'R330',
  },
  {
    when: 'leaves a job alone that has a bound of its own',
    view: aView(holding(), hangs(), running('stop')),
    rule: 'R160',
  },
  {
    when: 'fences for want of a lease first',
    view: aView(primary(), { silence: { probes: 6, waitedMillis: 11_000 } }),
    rule: 'R110',
    actions: [{ kind: 'fence', cause: 'no-lease' }],
  },
]);

decides([
  {
    when: 'does not let one take over that has not answered the last probe',
    view: aView(orphaned(), { silence: { probes: 1, waitedMillis: 1000 } }),
    rule: 'R590',
    why: /has not answered 1 probes in a row/,
  },
]);
