import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { inMaintenance, someSettings } from '../../harness/settings.ts';
import { aSyncKey } from '../../harness/sync-views.ts';
import {
  aMember,
  aMemory,
  aView,
  ago,
  ahead,
  anEmptyRecord,
  asked,
  down,
  holding,
  lapsed,
  noAnswer,
  opinion,
  ownRecord,
  present,
  aGeneration,
  aLease,
  seen,
  SELF,
  standby,
  withoutData,
} from '../../harness/views.ts';

const start = [
  { kind: 'fence', cause: 'leftovers' },
  { kind: 'start', target: { upstream: undefined, slotName: undefined } },
] as const;
const giveUp = [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [SELF] }] as const;
const founding = [
  holding(),
  seen(anEmptyRecord({ generation: present(aGeneration({ holder: SELF })) }), 100),
] as const;
const crashed = down({ state: 'in production' }, 'exited');
const full: Partial<View> = { disk: { freeBytes: 8192, fullSince: ago(300) } };
const settings = (given: Parameters<typeof someSettings>[0]) => ({
  settings: someSettings(given),
});
const failed = (kind: 'start' | 'initialise', count: number, millisAgo: number) =>
  aMemory({ failures: { kind, count, lastAt: ago(millisAgo), code: 'test' } });
const alone = seen(
  ownRecord({ members: [aMember(SELF, { role: 'primary' })], lease: present(aLease()) }),
  500,
);

decides([
  {
    when: 'clears leftovers and starts the server in place, as a standby of nobody',
    view: aView(holding(), down()),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'counts a crash, and starts in place within the budget',
    view: aView(holding(), crashed),
    memory: aMemory({ crashes: [ago(9000), ago(5000)] }),
    rule: 'R310',
    actions: start,
    remembers: { crashes: [ago(9000), ago(5000), ago(50)], countedExitAt: ago(50) },
  },
  {
    when: 'counts an exit once',
    view: aView(holding(), crashed),
    memory: aMemory({ crashes: [ago(50)], countedExitAt: ago(50) }),
    rule: 'R310',
    actions: start,
    remembers: { crashes: [ago(50)] },
  },
  {
    when: 'forgets crashes from before the window',
    view: aView(holding(), crashed),
    memory: aMemory({ crashes: [ago(60_001), ago(60_000)] }),
    rule: 'R310',
    actions: start,
    remembers: { crashes: [ago(60_000), ago(50)] },
  },
  {
    when: 'hands over when the crash budget is used up',
    view: aView(holding(), crashed),
    memory: aMemory({ crashes: [ago(9000), ago(5000), ago(3000)] }),
    rule: 'R310',
    actions: giveUp,
    why: /ended 4 times/,
    remembers: { crashes: [] },
  },
  {
    when: 'hands over at the first crash when primary_start_timeout is 0',
    view: aView(holding(), crashed, settings({ timing: { primaryStartTimeoutMillis: 0 } })),
    rule: 'R310',
    actions: giveUp,
    why: /primary_start_timeout is 0/,
  },
  {
    when: 'does not count a stop that was asked for',
    view: aView(
      holding(),
      down({}, 'stopped'),
      settings({ timing: { primaryStartTimeoutMillis: 0 } }),
    ),
    rule: 'R310',
    actions: start,
    remembers: { crashes: [] },
  },
  {
    when: 'does not count what it fenced itself',
    view: aView(holding(), down({}, 'fenced')),
    rule: 'R310',
    actions: start,
    remembers: { crashes: [] },
  },
  {
    when: 'keeps starting when nobody else could lead',
    view: aView(holding(), crashed, alone),
    memory: aMemory({ crashes: [ago(9000), ago(5000), ago(3000)] }),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'pauses after a failed start',
    view: aView(holding(), down()),
    memory: failed('start', 2, 1000),
    rule: 'R310',
    why: /failed to start 2 times/,
    wakeAt: ago(-1000),
  },
  {
    when: 'tries again after the pause',
    view: aView(holding(), down()),
    memory: failed('start', 2, 2000),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'hands over after three failed starts',
    view: aView(holding(), down()),
    memory: failed('start', 3, 10),
    rule: 'R310',
    actions: giveUp,
    why: /failed to start 3 times/,
  },
  {
    when: 'keeps the lease after failed starts when nobody else could lead',
    view: aView(holding(), down(), alone),
    memory: failed('start', 9, 10_000),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'asks who can lead instead when the disk is full: no start could succeed',
    view: aView(holding(), crashed, full),
    rule: 'R310',
    actions: ['canvass'],
    why: /disk of the primary is full \(8192 bytes are free\)/,
    remembers: { crashes: [ago(50)] },
  },
  {
    when: 'hands over at once then, without a try',
    view: aView(holding(), crashed, full, asked(opinion('pg1'), noAnswer('pg3'))),
    rule: 'R310',
    actions: giveUp,
    why: /disk of the primary is full .*: the lease is handed over to pg1/,
    remembers: { crashes: [] },
  },
  {
    when: 'tries to start all the same on a full disk when nobody can take over',
    view: aView(holding(), crashed, full, asked(noAnswer('pg1'), noAnswer('pg3'))),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'does not give a synchronous cluster away to who lacks its commits',
    view: aView(
      holding(),
      seen(ownRecord({ sync: present(aSyncKey({ standbys: ['pg3'] }), 40) }), 500),
      crashed,
      full,
      asked(opinion('pg1'), noAnswer('pg3')),
    ),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'gives nothing away that Consul could not be told of',
    view: aView(
      holding({ sent: [{ beat: 8, sentAt: ago(1000), ttlMillis: 3000, paused: false }] }),
      crashed,
      full,
      asked(opinion('pg1')),
    ),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'restarts on a full disk when an operator asked for that',
    view: aView(holding(), down(), full, asked(opinion('pg1'))),
    memory: aMemory({ restart: { commandId: 9, since: ago(60), stopped: true } }),
    rule: 'R310',
    actions: start,
  },
  {
    when: 'gives nothing away in maintenance mode',
    view: aView(holding({ paused: true }), crashed, full, asked(opinion('pg1')), inMaintenance()),
    rule: 'R270',
    why: /started in place/,
  },
  {
    when: 'does not start under the last moments of a lease',
    view: aView(holding({ end: ahead(1499) }), down()),
    rule: 'R310',
    waitsFor: /next acknowledged heartbeat/,
  },
  {
    when: 'hands over when a restart that an operator asked for keeps failing',
    view: aView(holding(), down()),
    memory: aMemory({
      restart: { commandId: 9, since: ago(60_000), stopped: true },
      failures: { kind: 'start', count: 3, lastAt: ago(10), code: 'test' },
    }),
    rule: 'R310',
    actions: giveUp,
  },
  {
    when: 'makes a new data directory for a new cluster',
    view: aView(...founding, withoutData()),
    rule: 'R310',
    actions: [{ kind: 'initialise' }],
  },
  {
    when: 'sets what a dead bootstrapper left aside first',
    view: aView(
      ...founding,
      withoutData({ kind: 'unfinished', work: 'initialise', systemIdentifier: undefined }),
    ),
    rule: 'R310',
    actions: [{ kind: 'set-aside', reason: 'unfinished' }],
  },
  {
    when: 'lets others found the cluster when its own attempt failed',
    view: aView(...founding, withoutData()),
    memory: failed('initialise', 1, 10),
    rule: 'R310',
    actions: giveUp,
  },
  {
    when: 'founds nothing without a bootstrap section',
    view: aView(...founding, withoutData(), settings({ mayBootstrap: false })),
    rule: 'R310',
    actions: giveUp,
  },
  {
    when: 'never founds a second cluster: without data it gives a recorded one away',
    view: aView(holding(), withoutData()),
    rule: 'R310',
    actions: giveUp,
    why: /leads without data/,
  },
  {
    when: 'rejoins instead without the lease',
    view: aView(lapsed(), down()),
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'promotes instead when Postgres runs',
    view: aView(holding(), standby()),
    rule: 'R320',
    actions: ['promote'],
  },
]);
