import { ABSENT } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { decides } from '../../harness/rule-table.ts';
import { inMaintenance, someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHeldLease,
  aHost,
  aLease,
  aMember,
  aMemory,
  anEmptyRecord,
  aRecord,
  ago,
  asked,
  aView,
  command,
  down,
  holding,
  observed,
  opinion,
  present,
  primary,
  seen,
  SELF,
  silent,
  SILENCE_MILLIS,
  standby,
  SWITCH,
  withoutData,
} from '../../harness/views.ts';

const paused = inMaintenance();
const wish = command({ kind: 'restart', timeoutMillis: undefined });
const restarting = aMemory({ restart: { commandId: 9, since: ago(1000), stopped: true } });
const reclone = { since: ago(900), why: 'an operator asked for it', fromLeader: true };
const manual = { what: 'reinitialize', since: ago(900) } as const;
const stop = { kind: 'stop', mode: 'fast' } as const;
const promotedAgain = aRecord({
  generation: present(aGeneration({ timeline: 4, switchLsn: SWITCH }), 15),
});
const remembered = aHost({ paused: { n: 5, id: 'g5', beat: 7 } });

decides([
  {
    when: 'leaves the Postgres of the leader down, and says what a resume would do',
    view: aView(holding({ paused: true }), down({}, 'exited'), paused),
    rule: 'R270',
    why: /paused, or R310 leader-down would act: Postgres of the leader is down/,
    waitsFor: /"pgbaton resume"\n"pgbaton restart" of pg2/,
  },
  {
    when: 'does not hand over what has crashed too often',
    view: aView(holding({ paused: true }), down({}, 'exited'), paused),
    memory: aMemory({ crashes: [ago(50), ago(40), ago(30), ago(20), ago(10)] }),
    rule: 'R270',
    why: /the lease is handed over/,
  },
  {
    when: 'fences nobody for being slow',
    view: aView(holding({ paused: true }), silent(400_000), asked(opinion('pg3')), {
      ...paused,
      answeredAt: undefined,
    }),
    rule: 'R270',
    why: /R330 leader-starting would act/,
    waitsFor: /pgbaton resume/,
  },
  {
    when: 'leaves a standby down',
    view: aView(down(), paused),
    rule: 'R270',
    why: /R520 rejoin would act/,
  },
  {
    when: 'leaves a member without data alone',
    view: aView(withoutData(), paused),
    rule: 'R270',
    why: /R510 clone would act/,
  },
  {
    when: 'founds nothing',
    view: aView(
      seen(anEmptyRecord(), SILENCE_MILLIS),
      withoutData(),
      { host: aHost({ floor: { n: 0, id: undefined }, systemIdentifier: undefined }) },
      { canvass: { askedAt: ago(30), finishedAt: ago(10), opinions: [] } },
      paused,
    ),
    rule: 'R270',
    why: /R420 bootstrap would act/,
  },
  {
    when: 'does not stop a standby that has gone astray',
    view: aView(
      standby({ timeline: 2, receivedLsn: lsn(SWITCH + 1n), replayedLsn: SWITCH }),
      paused,
    ),
    rule: 'R270',
    why: /R530 follow would act: its log on timeline 2/,
  },
  {
    when: 'plans no new clone either',
    view: aView(standby({ receiverState: undefined }), paused, {
      diagnosis: {
        at: ago(20),
        sourceName: 'pg1',
        generationId: 'g5',
        own: { timeline: 3, endLsn: SWITCH },
        source: undefined,
        walAvailable: 'no',
        why: undefined,
      },
    }),
    memory: aMemory({ notStreamingSince: ago(9000) }),
    rule: 'R270',
    why: /no longer has the log/,
    remembers: { reclone: undefined },
  },
  {
    when: 'holds a clone back that was planned before',
    view: aView(standby(), paused),
    memory: aMemory({ reclone: { ...reclone, why: 'diverged' } }),
    rule: 'R270',
    why: /R510 clone would act/,
  },
  {
    when: 'leads on, with all duties',
    view: aView(holding({ paused: true }), primary(), paused),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
  {
    when: 'points a standby at the leader',
    view: aView(standby(), paused),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: ['follow'],
  },
  {
    when: 'promotes what an operator has handed the lease to',
    view: aView(holding(), standby(), paused),
    rule: 'R320',
    actions: ['promote'],
  },
  {
    when: 'lets go of a lease under which the promotion failed',
    view: aView(holding(), standby(), paused),
    memory: aMemory({
      failures: { kind: 'promote', count: 1, lastAt: ago(10), code: 'promotion-timeout' },
    }),
    rule: 'R320',
    actions: ['fence', 'release'],
  },
  {
    when: 'starts the leader again when an operator asks for it',
    view: aView(holding({ paused: true }), down(), wish, paused),
    memory: restarting,
    rule: 'R310',
    actions: ['fence', 'start'],
  },
  {
    when: 'starts a standby again when an operator asks for it',
    view: aView(down({ state: 'shut down in recovery' }), wish, paused, {
      diagnosis: {
        at: ago(20),
        sourceName: 'pg1',
        generationId: 'g5',
        own: { timeline: 3, endLsn: SWITCH },
        source: { systemIdentifier: '7710733172458067259', timeline: 3, switches: [] },
        walAvailable: 'yes',
        why: undefined,
      },
    }),
    memory: restarting,
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'replaces data when an operator asks for it',
    view: aView(standby(), paused),
    memory: aMemory({ reclone, manual }),
    rule: 'R510',
    actions: [stop],
  },
  {
    when: 'rewinds nothing in the course of a restart',
    view: aView(seen(promotedAgain, 200), down(), wish, paused, {
      diagnosis: {
        at: ago(20),
        sourceName: 'pg1',
        generationId: 'g5',
        own: { timeline: 3, endLsn: lsn(SWITCH + 100n) },
        source: {
          systemIdentifier: '7710733172458067259',
          timeline: 4,
          switches: [{ parent: 3, switchLsn: SWITCH, reason: '' }],
        },
        walAvailable: 'yes',
        why: undefined,
      },
    }),
    memory: restarting,
    rule: 'R270',
    why: /is rewound/,
  },
  {
    when: 'fences a primary that holds no lease all the same',
    view: aView(primary(), paused),
    rule: 'R110',
    actions: ['fence'],
  },
  {
    when: 'keeps a primary whose lease is paused, however long Consul has been silent',
    view: aView(holding({ paused: true, end: ago(900_000) }), primary(), paused),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
  {
    when: 'fences a primary whose pause Consul never confirmed',
    view: aView(holding({ paused: false, end: ago(1) }), primary(), paused),
    rule: 'R110',
    actions: ['fence'],
  },
  {
    when: 'stops a server that runs without a guardian all the same',
    view: aView({ postmaster: { kind: 'foreign', pid: 7 } }, paused),
    rule: 'R120',
    actions: ['fence'],
  },
  {
    when: 'leaves data of another system alone, and the server that has them',
    view: aView(standby({ systemIdentifier: '1' }), paused),
    rule: 'R140',
    why: /nothing is done about it/,
  },
  {
    when: 'keeps the lease over a directory that nobody can use',
    view: aView(
      holding({ paused: true }),
      withoutData({ kind: 'unusable', reason: 'no data directory', remedy: 'look' }),
      paused,
    ),
    rule: 'R130',
  },
  {
    when: 'starts nothing without Consul, where the last lease was paused',
    view: aView(down(), {
      cluster: undefined,
      observation: undefined,
      host: remembered,
      startedAt: ago(6000),
    }),
    rule: 'R270',
    why: /Consul cannot be read/,
  },
  {
    when: 'goes on where the configuration was lost with the store',
    view: aView(seen(anEmptyRecord({ members: [aMember(SELF)] }), 100), down(), {
      host: remembered,
    }),
    rule: 'R270',
    why: /R520 rejoin would act: nobody leads/,
  },
  {
    when: 'ends where another leads whose lease is not paused, whatever was configured before',
    view: aView(
      seen(aRecord({ config: ABSENT, generation: present(aGeneration(), 15) }), 100),
      down(),
      paused,
    ),
    rule: 'R520',
    actions: ['diagnose'],
  },
  {
    when: 'is over when it is not configured any more, though the lease says so still',
    view: aView(
      seen(aRecord({ lease: present(aLease({ paused: true }), 20) }), 100),
      down(),
      { host: remembered },
      { settings: someSettings() },
    ),
    rule: 'R520',
    actions: ['diagnose'],
  },
  {
    when: 'does not apply where nothing is paused',
    view: aView({ ...holding(), held: aHeldLease() }, down({}, 'exited'), {
      cluster: observed(aRecord({ generation: present(aGeneration({ holder: SELF }), 15) })),
    }),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
]);
