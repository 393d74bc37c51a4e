import { waitMillis } from '../../../src/core/lease.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings, TTL_MILLIS } from '../../harness/settings.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  aMember,
  aMemory,
  aRecord,
  aView,
  ago,
  ahead,
  holding,
  leaderKey,
  NOW,
  present,
  released,
  seen,
  SELF,
  observed,
  silent,
  standby,
  SWITCH,
  upstream,
} from '../../harness/views.ts';

const lost = standby({ receiverState: undefined });
const follow = (name: string) => [
  { kind: 'follow', target: { upstream: upstream(name), slotName: SELF } } as const,
];
const stop = [{ kind: 'stop', mode: 'fast' }] as const;
const diagnose = [{ kind: 'diagnose', source: upstream('pg1'), generationId: 'g5' }] as const;
const waiting = (millisAgo: number) => aMemory({ notStreamingSince: ago(millisAgo) });

decides([
  { when: 'streams, and has nothing to do', view: aView(standby()), rule: 'R530' },
  {
    when: 'looks again at the very moment at which the lease is over',
    view: aView(standby(), seen(aRecord(), 2000)),
    rule: 'R530',
    wakeAt: ahead(waitMillis(TTL_MILLIS) - 2000),
  },
  {
    when: 'points Postgres at the leader',
    view: aView(standby()),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: follow('pg1'),
    remembers: { upstream: 'pg1@pg1.example:5432/pg2' },
  },
  {
    when: 'asks Postgres again before it points it at a leader that it has read of since',
    view: aView({ cluster: { ...observed(aRecord(), 2), askedAt: ago(3) } }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: ['probe'],
    why: /where its own log ends/,
  },
  {
    when: 'points Postgres anew when the server itself says that it streams from elsewhere',
    view: aView(standby({ primaryConninfo: "user=x host=pg3.example port='5432'" })),
    rule: 'R530',
    actions: follow('pg1'),
  },
  {
    when: 'points Postgres anew when the server itself says that it streams from nowhere',
    view: aView(standby({ primaryConninfo: '' })),
    rule: 'R530',
    actions: follow('pg1'),
  },
  {
    when: 'leaves a server alone that says that it streams from the leader',
    view: aView(standby({ primaryConninfo: "host=pg1.example port=5432 user='x'" })),
    rule: 'R530',
  },
  {
    when: 'takes a setting that it cannot read for no reason to point Postgres anew',
    view: aView(standby({ primaryConninfo: 'service=elsewhere' })),
    rule: 'R530',
  },
  {
    when: 'points Postgres at a new leader',
    view: aView(
      standby(),
      seen(
        aRecord({
          generation: present(aGeneration({ holder: 'pg3' })),
          leader: leaderKey('pg3'),
          members: [aMember('pg1'), aMember(SELF), aMember('pg3', { role: 'primary' })],
        }),
        200,
      ),
    ),
    rule: 'R530',
    actions: follow('pg3'),
  },
  {
    when: 'points Postgres anew when the leader has moved to another address',
    view: aView(
      standby(),
      seen(
        aRecord({
          members: [
            aMember('pg1', {
              role: 'primary',
              connUrl: 'postgres://user@[::1]:5433/postgres',
            }),
          ],
        }),
        200,
      ),
    ),
    rule: 'R530',
    actions: [
      {
        kind: 'follow',
        target: { upstream: { name: 'pg1', host: '::1', port: 5433 }, slotName: SELF },
      },
    ],
  },
  {
    when: 'asks for no slot when use_slots is off',
    view: aView(standby(), { settings: someSettings({ policy: { useSlots: false } }) }),
    rule: 'R530',
    actions: [{ kind: 'follow', target: { upstream: upstream('pg1'), slotName: undefined } }],
  },
  {
    when: 'writes down to which system its data belong, as a clone of it does not know',
    view: aView(standby(), { host: aHost({ systemIdentifier: undefined }) }),
    rule: 'R530',
    actions: [{ kind: 'note-followed', generationId: 'g5', timeline: 3, from: 'pg1' }],
  },
  {
    when: 'notes on disk whom it follows, once it is on the timeline of the leader',
    view: aView(standby(), { host: aHost({ followed: { id: 'g4', timeline: 2 } }) }),
    rule: 'R530',
    actions: [{ kind: 'note-followed', generationId: 'g5', timeline: 3, from: 'pg1' }],
  },
  {
    when: 'notes nothing before it has switched to the timeline of the leader',
    view: aView(standby({ timeline: 2, receivedLsn: SWITCH, replayedLsn: SWITCH }), {
      host: aHost({ followed: { id: 'g4', timeline: 2 } }),
    }),
    rule: 'R530',
  },
  {
    when: 'stops when its log went on after the timeline of the leader began',
    view: aView(standby({ timeline: 2, receivedLsn: lsn(SWITCH + 1n) })),
    rule: 'R530',
    actions: stop,
    why: /stops to rejoin/,
  },
  {
    when: 'stops when its timeline was promoted here under a generation that the cluster does not know',
    view: aView(standby(), {
      host: aHost({ promotions: [{ id: 'g5x', timeline: 3, switchLsn: SWITCH }] }),
    }),
    rule: 'R530',
    actions: stop,
    why: /under generation g5x/,
  },
  {
    when: 'goes on with what it promoted itself in a generation that the cluster knows',
    view: aView(standby(), {
      host: aHost({
        promotions: [
          { id: 'g5x', timeline: 3, switchLsn: SWITCH },
          { id: 'g5', timeline: 3, switchLsn: SWITCH },
        ],
      }),
    }),
    rule: 'R530',
  },
  {
    when: 'goes on when its log ends where the timeline of the leader begins',
    view: aView(standby({ timeline: 2, receivedLsn: SWITCH, replayedLsn: SWITCH })),
    rule: 'R530',
  },
  {
    when: 'stops when its timeline is another promotion under a generation that the cluster knows',
    view: aView(standby(), {
      host: aHost({ promotions: [{ id: 'g4', timeline: 3, switchLsn: SWITCH }] }),
    }),
    rule: 'R530',
    actions: stop,
    why: /under generation g4/,
  },
  {
    when: 'follows nobody by a record that is older than what this host has seen',
    view: aView(standby(), { host: aHost({ floor: { n: 6, id: 'g6' } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R590',
  },
  {
    when: 'points Postgres at the leader while it does not answer: it may wait for that very log',
    view: aView(silent()),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: follow('pg1'),
    remembers: { upstream: 'pg1@pg1.example:5432/pg2' },
  },
  {
    when: 'stops a silent Postgres whose log was received under a generation that the cluster does not know',
    view: aView(silent(), { host: aHost({ followed: { id: 'g5x', timeline: 3 } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
    why: /its timeline 3 is of generation g5x/,
  },
  {
    when: 'leaves Postgres alone that starts and was pointed at the leader before',
    view: aView(silent()),
    rule: 'R540',
  },
  {
    when: 'points a silent Postgres nowhere while the address of the leader is not known',
    view: aView(
      silent(),
      seen(aRecord({ members: [aMember('pg1', { role: 'primary', connUrl: 'nonsense' })] }), 200),
    ),
    memory: aMemory({ upstream: undefined }),
    rule: 'R900',
  },
  {
    when: 'gives replication a moment',
    view: aView(lost),
    rule: 'R530',
    waitsFor: /a replication connection to pg1/,
    remembers: { notStreamingSince: NOW },
  },
  {
    when: 'looks after that moment again, where the lease ends later',
    view: aView(lost, seen(aRecord(), 0)),
    memory: waiting(4000),
    rule: 'R530',
    wakeAt: ahead(1000),
  },
  {
    when: 'looks why it does not stream after a while',
    view: aView(lost),
    memory: waiting(5000),
    rule: 'R530',
    actions: diagnose,
  },
  {
    when: 'does not rely on what was found before it lost the stream',
    view: aView(lost, { diagnosis: aDiagnosis({ at: ago(6001), walAvailable: 'no' }) }),
    memory: waiting(6000),
    rule: 'R530',
    actions: diagnose,
  },
  {
    when: 'is cloned anew when the leader no longer has the log it needs',
    view: aView(lost, { diagnosis: aDiagnosis({ walAvailable: 'no' }) }),
    memory: waiting(6000),
    rule: 'R530',
    remembers: { reclone: { since: NOW, fromLeader: true }, notStreamingSince: undefined },
  },
  {
    when: 'keeps its data when it is not known whether the leader has the log',
    view: aView(lost, { diagnosis: aDiagnosis({ walAvailable: 'unknown', why: 'timeout' }) }),
    memory: waiting(6000),
    rule: 'R530',
    waitsFor: /timeout/,
    remembers: { reclone: undefined },
  },
  {
    when: 'forgets that it did not stream once it does',
    view: aView(standby()),
    memory: waiting(4000),
    rule: 'R530',
    remembers: { notStreamingSince: undefined },
  },
  {
    when: 'stays as it is while the new leader has not promoted',
    view: aView(
      standby(),
      seen(aRecord({ generation: present(aGeneration({ timeline: 0 })) }), 200),
    ),
    rule: 'R590',
  },
  {
    when: 'stays as it is when the lease was released',
    view: aView(standby(), seen(aRecord({ lease: released({ handoff: 'pg3' }) }), 200)),
    rule: 'R590',
  },
  {
    when: 'stays as it is when the leader says that it is no primary',
    view: aView(standby(), seen(aRecord({ members: [aMember('pg1'), aMember(SELF)] }), 200)),
    rule: 'R590',
  },
  {
    when: 'promotes instead with the lease',
    view: aView(holding(), standby()),
    rule: 'R320',
    actions: ['promote'],
  },
]);
