import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { inMaintenance, someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aLease,
  aMember,
  aMemory,
  aRecord,
  ago,
  ahead,
  asked,
  aView,
  down,
  END,
  opinion,
  present,
  seen,
  SELF,
  silent,
  SILENCE_MILLIS,
  standby,
  withoutData,
} from '../../harness/views.ts';

const paused = (given: Partial<ClusterRecord> = {}): ClusterRecord =>
  aRecord({
    generation: present(aGeneration({ holder: SELF }), 15),
    lease: present(aLease({ paused: true }), 20),
    leader: ABSENT,
    members: [aMember(SELF), aMember('pg3')],
    ...given,
  });
/** The lease that Consul shows as paused was this member's own, and is over on this host. */
const over: Partial<View> = { ...seen(paused(), SILENCE_MILLIS), lapsedId: 'g5', over: 'g5' };
const failedStarts = (count: number) =>
  aMemory({ failures: { kind: 'start', count, lastAt: ago(100), code: 'x' } });
const nofailover = { settings: someSettings({ tags: { nofailover: true } }) };
const gives = (lsn: typeof END | undefined) => [
  { kind: 'give-back', lsn, exclude: [SELF] } as const,
];

decides([
  {
    when: 'starts Postgres first: nobody has more of the log than whoever led last',
    view: aView(over, down()),
    rule: 'R520',
    why: /the lease of pg2 is over/,
    actions: ['start'],
  },
  {
    when: 'takes the lease up again once Postgres is a standby',
    view: aView(over, standby(), asked(opinion('pg3'))),
    rule: 'R410',
    actions: ['takeover'],
  },
  {
    when: 'gives it back when Postgres does not start',
    view: aView(over, down({ state: 'in production' })),
    memory: failedStarts(3),
    rule: 'R405',
    why: /failed to start 3 times; it is given back/,
    actions: gives(undefined),
    remembers: { gaveBackAt: ago(0) },
  },
  {
    when: 'says where its log ended, if it ended cleanly',
    view: aView(over, down({ state: 'shut down', checkpointLsn: END })),
    memory: failedStarts(3),
    rule: 'R405',
    actions: gives(END),
  },
  {
    when: 'tries a few times before',
    view: aView(over, down()),
    memory: failedStarts(2),
    rule: 'R520',
    why: /start failed 2 times/,
  },
  {
    when: 'goes on trying when an operator has asked for a restart',
    view: aView(over, down()),
    memory: { ...failedStarts(3), restart: { commandId: 9, since: ago(5000), stopped: true } },
    rule: 'R520',
  },
  {
    when: 'waits a moment before it tells Consul again',
    view: aView(over, down()),
    memory: { ...failedStarts(3), gaveBackAt: ago(400) },
    rule: 'R405',
    actions: [],
    waitsFor: /Consul/,
    wakeAt: ahead(600),
  },
  {
    when: 'gives it back without data',
    view: aView(over, withoutData()),
    rule: 'R405',
    why: /has no data/,
    actions: gives(undefined),
  },
  {
    when: 'gives it back when Postgres would find no room',
    view: aView(over, down(), { disk: { freeBytes: 8192, fullSince: ago(300) } }),
    rule: 'R405',
    why: /its disk is full/,
    actions: ['give-back'],
  },
  {
    when: 'gives it back at once where primary_start_timeout says so',
    view: aView(over, down(), {
      settings: someSettings({ timing: { primaryStartTimeoutMillis: 0 } }),
    }),
    rule: 'R405',
    why: /primary_start_timeout is 0/,
    actions: ['give-back'],
  },
  {
    when: 'gives it back when Postgres recovers for longer than primary_start_timeout',
    view: aView(over, silent(301_000), { startedAt: ago(400_000) }),
    rule: 'R405',
    why: /not accepted connections for 301 s/,
    actions: ['give-back'],
  },
  {
    when: 'gives it back as a standby that may not lead',
    view: aView(over, standby(), nofailover),
    rule: 'R405',
    why: /tagged nofailover/,
    actions: ['give-back'],
  },
  {
    when: 'gives it back when it could write down nothing of what a leader must not forget',
    view: aView(over, standby(), { hostUnsavedAt: ago(100) }),
    rule: 'R405',
    why: /could not be saved/,
    actions: ['give-back'],
  },
  {
    when: 'gives nothing back while a takeover of its own is not settled',
    view: aView(over, standby(), nofailover, {
      takeover: { id: 'g6', sentAt: ago(50), unanswered: [] },
    }),
    rule: 'R590',
  },
  {
    when: 'gives nothing back in maintenance mode, which lasts',
    view: aView(over, inMaintenance(), withoutData()),
    rule: 'R270',
    why: /R405 give-back would act: .*has no data/,
    waitsFor: /pgbaton resume/,
  },
  {
    when: 'gives back no lease of which it does not know that it is over',
    view: aView(over, { lapsedId: undefined, over: undefined }, standby(), nofailover),
    rule: 'R590',
    why: /paused/,
  },
  {
    when: 'gives back no lease whose time has ended and whose Postgres was not proved down here',
    view: aView(over, silent(301_000), { startedAt: ago(400_000), over: undefined }),
    rule: 'R900',
  },
  {
    when: 'gives back no lease of a later generation of its name',
    view: aView(
      over,
      seen(
        paused({
          generation: present(aGeneration({ holder: SELF, n: 6, id: 'g6' }), 15),
          lease: present(aLease({ n: 6, id: 'g6', paused: true }), 20),
        }),
        SILENCE_MILLIS,
      ),
      standby(),
      nofailover,
    ),
    rule: 'R590',
  },
  {
    when: 'gives nothing back in a store that has lost a newer generation',
    view: aView(over, standby(), nofailover, { host: aHost({ floor: { n: 6, id: 'g6' } }) }),
    rule: 'R590',
  },
  {
    when: 'gives nothing back that was released',
    view: aView(
      over,
      seen(
        paused({
          lease: present(
            aLease({ released: { handoff: undefined, lsn: undefined, exclude: [] } }),
            20,
          ),
        }),
        5,
      ),
      standby(),
      nofailover,
    ),
    rule: 'R590',
  },
  {
    when: 'leaves a lease that is not paused to run out',
    view: aView(over, seen(paused({ lease: present(aLease(), 20) }), 500), standby(), nofailover),
    rule: 'R590',
  },
]);
