import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { aWatchdog, someSettings } from '../../harness/settings.ts';
import {
  ahead,
  anEmptyRecord,
  asked,
  aView,
  down,
  holding,
  primary,
  running,
  aHost,
  seen,
  SILENCE_MILLIS,
  standby,
  withoutData,
} from '../../harness/views.ts';
import { orphaned } from '../../harness/elections.ts';

const required: Partial<View> = { settings: someSettings({ watchdog: aWatchdog('required') }) };
const automatic: Partial<View> = { settings: someSettings({ watchdog: aWatchdog('automatic') }) };
const lost: Partial<View> = {
  watchdog: { kind: 'unusable', why: '/dev/watchdog: EIO', remedy: undefined },
};
const unknown: Partial<View> = { watchdog: { kind: 'unknown' } };
const open: Partial<View> = { watchdog: { kind: 'open' } };
const ready: Partial<View> = { watchdog: { kind: 'ready' } };
const FENCE = { kind: 'fence', cause: 'watchdog-lost' } as const;
const RELEASE = { kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] } as const;
const LEADING = ['write-history', 'reconcile-slots'] as const;

decides([
  {
    when: 'fences and releases when the device that is required fails',
    view: aView(holding(), primary(), required, lost),
    rule: 'R145',
    why: /its watchdog is required and unusable: \/dev\/watchdog: EIO/,
    actions: [FENCE, RELEASE],
  },
  {
    when: 'gives away a lease that was just won, before anything is promoted',
    view: aView(holding(), standby(), required, lost),
    rule: 'R145',
    actions: [FENCE, RELEASE],
  },
  {
    when: 'gives it away without a fence when Postgres is down',
    view: aView(holding(), down(), required, lost),
    rule: 'R145',
    actions: [RELEASE],
  },
  {
    when: 'does not wait for a promotion that is under way',
    view: aView(holding(), standby(), required, lost, running('promote')),
    rule: 'R145',
    actions: [FENCE, RELEASE],
  },
  {
    when: 'does not wait for a checkpoint of a primary',
    view: aView(holding(), primary(), required, lost, running('checkpoint')),
    rule: 'R145',
    actions: [FENCE, RELEASE],
  },
  {
    when: 'waits for a start that is under way: what starts is a standby',
    view: aView(holding(), down(), required, lost, running('start')),
    rule: 'R160',
  },
  {
    when: 'leads on while the device is being set anew',
    view: aView(holding(), primary(), required, unknown),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads while it counts down',
    view: aView(holding(), primary(), required, open),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'leads on without one that is not required, and says so',
    view: aView(holding(), primary(), automatic, lost),
    rule: 'R350',
    why: /leads under generation 5, without its watchdog \(\/dev\/watchdog: EIO\)/,
    actions: LEADING,
  },
  {
    when: 'leaves a paused lease alone: the device is not used then',
    view: aView(holding({ paused: true }), primary(), required, lost),
    rule: 'R350',
    actions: LEADING,
  },
  {
    when: 'has nothing to give away without a lease',
    view: aView(standby(), required, lost),
    rule: 'R530',
  },
  {
    when: 'is not promoted before the device has been looked at',
    view: aView(holding(), standby(), required, unknown),
    rule: 'R320',
    why: /has not been looked at yet/,
    waitsFor: /the watchdog device/,
    wakeAt: ahead(100),
  },
  {
    when: 'takes no lease over without the device',
    view: orphaned({}, required, lost),
    rule: 'R590',
    why: /its watchdog is required and unusable/,
  },
  {
    when: 'founds no cluster without it',
    view: aView(
      seen(anEmptyRecord(), SILENCE_MILLIS),
      withoutData(),
      { host: aHost({ floor: { n: 0, id: undefined }, systemIdentifier: undefined }) },
      asked(),
      required,
      lost,
    ),
    rule: 'R420',
    why: /this member may not lead: its watchdog is required and unusable/,
  },
  {
    when: 'is promoted once it is ready',
    view: aView(holding(), standby(), required, ready),
    rule: 'R320',
    actions: ['promote'],
  },
]);
