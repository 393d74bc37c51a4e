import { lsn } from '../../../src/core/lsn.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  aMemory,
  aRecord,
  aView,
  ago,
  ahead,
  anEmptyRecord,
  down,
  ended,
  END,
  holding,
  leaderKey,
  NOW,
  observed,
  present,
  released,
  seen,
  SELF,
  SILENCE_MILLIS,
  someControl,
  standby,
  SWITCH,
  SYSTEM,
  upstream,
} from '../../harness/views.ts';

const startBehind = [
  { kind: 'start', target: { upstream: upstream('pg1'), slotName: SELF } },
] as const;
const startAlone = [
  { kind: 'start', target: { upstream: undefined, slotName: undefined } },
] as const;
const diagnose = [{ kind: 'diagnose', source: upstream('pg1'), generationId: 'g5' }] as const;
const unread = { cluster: undefined, observation: undefined };
const onTwo = { timeline: 2, endLsn: lsn(0x3000100n) };
const FRESH_CLONE: Partial<View> = {
  directory: observed({
    kind: 'cluster',
    majorVersion: 15,
    control: someControl(),
    standbySignal: true,
    backupLabel: true,
  }),
};
const diverged = aDiagnosis({ own: onTwo });

decides([
  {
    when: 'looks for evidence before it follows',
    view: aView(down()),
    rule: 'R520',
    actions: diagnose,
  },
  {
    when: 'follows as it is when its log is part of the history of the leader',
    view: aView(down(), { diagnosis: aDiagnosis() }),
    rule: 'R520',
    actions: startBehind,
  },
  {
    when: 'follows a fresh clone without further evidence',
    view: aView(down(), FRESH_CLONE, { lastJob: ended('clone') }),
    rule: 'R520',
    actions: startBehind,
    why: /^follows pg1 from a fresh clone$/,
  },
  {
    when: 'follows after a rewind without further evidence',
    view: aView(down(), FRESH_CLONE, { lastJob: ended('rewind') }),
    rule: 'R520',
    actions: startBehind,
    why: /^follows pg1 after the rewind$/,
  },
  {
    when: 'does not say how a data directory was made that an agent before has left',
    view: aView(down(), FRESH_CLONE),
    rule: 'R520',
    actions: startBehind,
    why: /^follows pg1: begins at the backup label/,
  },
  {
    when: 'makes a fresh clone anew that has turned out to be of another history',
    view: aView(down(), FRESH_CLONE, { diagnosis: diverged }),
    rule: 'R520',
    remembers: { reclone: { since: NOW, fromLeader: true } },
    wakeAt: NOW,
  },
  {
    when: 'starts a fresh clone when what was found out is about another generation',
    view: aView(down(), FRESH_CLONE, { diagnosis: { ...diverged, generationId: 'g4' } }),
    rule: 'R520',
    actions: startBehind,
  },
  {
    when: 'rewinds when its log went on after the leader left it',
    view: aView(down(), { diagnosis: diverged }),
    rule: 'R520',
    actions: [{ kind: 'rewind', source: upstream('pg1') }],
    why: /past 0\/3000000/,
    remembers: { rewindUnder: 'g5' },
  },
  {
    when: 'does not rewind a second time under one generation when the first found nothing to do',
    view: aView(down(), { diagnosis: diverged }),
    memory: aMemory({ rewindUnder: 'g5' }),
    rule: 'R520',
    actions: [],
    why: /past 0\/3000000.*; pg_rewind failed: it found nothing to do/,
  },
  {
    when: 'clones when a diverged log cannot be rewound and policy allows it',
    view: aView(down({ rewindable: false }), {
      diagnosis: diverged,
      settings: someSettings({ policy: { recloneOnDivergence: true } }),
    }),
    rule: 'R520',
    remembers: { reclone: { since: NOW, fromLeader: true } },
    wakeAt: NOW,
  },
  {
    when: 'asks a person when policy does not allow it',
    view: aView(down({ rewindable: false }), { diagnosis: diverged }),
    rule: 'R520',
    waitsFor: /pgbaton reinit/,
  },
  {
    when: 'clones after a failed rewind when policy allows it',
    view: aView(down(), {
      diagnosis: diverged,
      settings: someSettings({ policy: { recloneOnRewindFailure: true } }),
    }),
    memory: aMemory({
      failures: { kind: 'rewind', count: 1, lastAt: ago(500), code: 'test', under: 'g5' },
    }),
    rule: 'R520',
    remembers: { reclone: { fromLeader: true } },
  },
  {
    when: 'pauses after a failed rewind',
    view: aView(down(), { diagnosis: diverged }),
    memory: aMemory({
      failures: { kind: 'rewind', count: 1, lastAt: ago(499), code: 'test', under: 'g5' },
    }),
    rule: 'R520',
    wakeAt: ahead(1),
  },
  {
    when: 'asks a person after a failed rewind when policy says nothing else',
    view: aView(down(), { diagnosis: diverged }),
    memory: aMemory({
      failures: { kind: 'rewind', count: 1, lastAt: ago(500), code: 'no-space', under: 'g5' },
    }),
    rule: 'R520',
    why: /pg_rewind failed: no-space/,
    waitsFor: /pgbaton reinit/,
  },
  {
    when: 'tries a rewind again that changed nothing',
    view: aView(down(), { diagnosis: diverged }),
    memory: aMemory({
      failures: {
        kind: 'rewind',
        count: 2,
        lastAt: ago(1000),
        code: 'postgres-rewind-not-begun',
        under: 'g5',
      },
    }),
    rule: 'R520',
    actions: ['rewind'],
  },
  {
    when: 'tries it three times at most',
    view: aView(down(), { diagnosis: diverged }),
    memory: aMemory({
      failures: {
        kind: 'rewind',
        count: 3,
        lastAt: ago(2000),
        code: 'postgres-rewind-not-begun',
        under: 'g5',
      },
    }),
    rule: 'R520',
    waitsFor: /pgbaton reinit/,
  },
  {
    when: 'does not start what was promoted here under the number of a timeline of the leader',
    view: aView(down(), {
      diagnosis: aDiagnosis(),
      host: aHost({ promotions: [{ id: 'g5x', timeline: 3, switchLsn: SWITCH }] }),
    }),
    rule: 'R520',
    waitsFor: /pgbaton reinit/,
    why: /promoted here under generation g5x/,
  },
  {
    when: 'clones when the leader no longer has the log it needs',
    view: aView(down(), { diagnosis: aDiagnosis({ walAvailable: 'no' }) }),
    rule: 'R520',
    remembers: { reclone: { fromLeader: true } },
  },
  {
    when: 'waits when the leader could not be asked: unknown is not no',
    view: aView(down(), { diagnosis: aDiagnosis({ source: undefined, why: 'timeout' }) }),
    rule: 'R520',
    why: /timeout/,
    waitsFor: /pg1 to answer/,
    wakeAt: ago(-980),
  },
  {
    when: 'asks anew when the evidence is about another generation',
    view: aView(down(), { diagnosis: aDiagnosis({ generationId: 'g4' }) }),
    rule: 'R520',
    actions: diagnose,
  },
  {
    when: 'asks anew when the evidence is about another member',
    view: aView(down(), { diagnosis: aDiagnosis({ sourceName: 'pg3' }) }),
    rule: 'R520',
    actions: diagnose,
  },
  {
    when: 'asks anew when the evidence is old',
    view: aView(down(), { diagnosis: aDiagnosis({ at: ago(5001) }) }),
    rule: 'R520',
    actions: diagnose,
  },
  {
    when: 'asks anew after work that may have changed the data',
    view: aView(down(), { diagnosis: aDiagnosis(), lastJob: ended('rewind') }),
    rule: 'R520',
    actions: diagnose,
  },
  {
    when: 'relies on evidence that was gathered just now',
    view: aView(down(), { diagnosis: aDiagnosis(), lastJob: ended('diagnose') }),
    rule: 'R520',
    actions: startBehind,
  },
  {
    when: 'pauses after a failed start',
    view: aView(down(), { diagnosis: aDiagnosis() }),
    memory: aMemory({ failures: { kind: 'start', count: 3, lastAt: ago(1999), code: 'test' } }),
    rule: 'R520',
    wakeAt: ahead(1),
  },
  {
    when: 'waits until the new leader serves: its history is not written yet',
    view: aView(down(), seen(aRecord({ generation: present(aGeneration({ timeline: 0 })) }), 200)),
    rule: 'R520',
    waitsFor: /pg1 to be primary/,
    wakeAt: ahead(200),
  },
  {
    when: 'waits for the newest leader in a store that has lost it: the one it shows is of the past',
    view: aView(down(), { host: aHost({ floor: { n: 6, id: 'g6' } }) }),
    rule: 'R520',
    waitsFor: /the record of the newest leader/,
    wakeAt: ahead(200),
  },
  {
    when: 'starts alone when nobody leads, so that there is a candidate',
    view: aView(down(), seen(aRecord({ lease: released() }), 200)),
    rule: 'R520',
    actions: startAlone,
  },
  {
    when: 'starts alone when the lease of the leader is over',
    view: aView(down(), seen(aRecord(), SILENCE_MILLIS)),
    rule: 'R520',
    actions: startAlone,
  },
  {
    when: 'starts alone when the last lease was its own',
    view: aView(
      down(),
      seen(
        aRecord({ generation: present(aGeneration({ holder: SELF })), leader: leaderKey(SELF) }),
        200,
      ),
    ),
    rule: 'R520',
    actions: startAlone,
  },
  {
    when: 'starts alone when the store is empty',
    view: aView(down(), seen(anEmptyRecord(), 10)),
    rule: 'R520',
    actions: startAlone,
  },
  {
    when: 'waits a moment for Consul to say whom to follow',
    view: aView(down(), unread, { startedAt: ago(4999) }),
    rule: 'R520',
    waitsFor: /an answer of Consul/,
    wakeAt: ahead(1),
  },
  {
    when: 'serves readers when Consul does not answer for long',
    view: aView(down(), unread, { startedAt: ago(5000) }),
    rule: 'R520',
    actions: startAlone,
  },
  {
    when: 'starts instead under its own lease',
    view: aView(holding(), down()),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
  { when: 'follows instead when Postgres runs', view: aView(standby()), rule: 'R530' },
  {
    when: 'refuses data of another system even when the store does not say which is right',
    view: aView(
      down({ systemIdentifier: '1111111111111111111' }),
      seen(aRecord({ initialize: present('') }), 200),
      { diagnosis: aDiagnosis({ own: { timeline: 3, endLsn: END } }) },
    ),
    rule: 'R520',
    why: new RegExp(`the leader's to ${SYSTEM}`),
    waitsFor: /does not replace the data of another cluster/,
  },
]);
