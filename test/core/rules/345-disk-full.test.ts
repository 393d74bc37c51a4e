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
  holding,
  noAnswer,
  NOW,
  opinion,
  ownRecord,
  present,
  primary,
  seen,
} from '../../harness/views.ts';

const full = (forMillis: number): Partial<View> => ({
  disk: { freeBytes: 8192, fullSince: ago(forMillis) },
});
const LEADING = ['write-history', 'reconcile-slots'] as const;

decides([
  {
    when: 'asks who can take over once the disk has been full for as long as a server may hang',
    view: aView(holding(), primary(), full(10_000)),
    rule: 'R345',
    why: /disk of the primary is full \(8192 bytes are free\)/,
    actions: ['canvass'],
  },
  {
    when: 'waits for the answers',
    view: aView(holding(), primary(), full(10_000), {
      canvass: { askedAt: ago(20), finishedAt: undefined, opinions: [] },
    }),
    rule: 'R345',
    wakeAt: ahead(100),
  },
  {
    when: 'hands over, cleanly, to who can take it',
    view: aView(holding(), primary(), full(10_000), asked(opinion('pg1'))),
    rule: 'R345',
    remembers: { handover: { candidate: 'pg1', reason: 'disk-full' } },
    wakeAt: NOW,
  },
  {
    when: 'hands over to a synchronous standby only',
    view: aView(
      holding(),
      seen(ownRecord({ sync: present(aSyncKey({ standbys: ['pg3'] }), 40) }), 500),
      primary(),
      full(10_000),
      asked(opinion('pg1'), opinion('pg3')),
    ),
    rule: 'R345',
    remembers: { handover: { candidate: 'pg3' } },
    wakeAt: NOW,
  },
  {
    when: 'leads on when nobody can take over, and does not ask all the time',
    view: aView(holding(), primary(), full(60_000), {
      canvass: { askedAt: ago(29_999), finishedAt: ago(29_000), opinions: [noAnswer('pg1')] },
    }),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads on while it is full for a moment only',
    view: aView(holding(), primary(), full(9999)),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads on when there is room',
    view: aView(holding(), primary(), { disk: { freeBytes: 1e9, fullSince: undefined } }),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads on in maintenance mode',
    view: aView(holding({ paused: true }), primary(), full(60_000), asked(opinion('pg1')), {
      settings: someSettings({ policy: { pause: true } }),
    }),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads on when primary_hang_timeout is 0',
    view: aView(holding(), primary(), full(60_000), {
      settings: someSettings({ timing: { primaryHangTimeoutMillis: 0 } }),
    }),
    rule: 'R350',
    actions: LEADING,
  },
]);

decides([
  {
    when: 'does not let one take over whose disk is full',
    view: orphaned({}, { disk: { freeBytes: 30_000_000, fullSince: undefined } }),
    rule: 'R590',
    why: /its disk is full/,
  },
]);
