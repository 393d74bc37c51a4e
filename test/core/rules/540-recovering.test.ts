import type { View } from '../../../src/core/view.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aDiagnosis,
  aHost,
  aMemory,
  anEmptyRecord,
  aRecord,
  aView,
  ago,
  ahead,
  END,
  holding,
  observed,
  released,
  seen,
  silent,
  someControl,
  SWITCH,
} from '../../harness/views.ts';

const DIAGNOSE = {
  kind: 'diagnose',
  source: { name: 'pg1', host: 'pg1.example', port: 5432 },
  generationId: 'g5',
} as const;
const STOP = { kind: 'stop', mode: 'fast' } as const;

/** It was started so long ago, and replays its log ever since. */
const recovers = (forMillis: number, given: Partial<View> = {}): Partial<View> => ({
  ...silent(forMillis),
  ...given,
});
const looked = (
  millisAgo: number,
  given: Parameters<typeof aDiagnosis>[0] = {},
): Partial<View> => ({
  diagnosis: aDiagnosis({ at: ago(millisAgo), ...given }),
});
const controlled = (given: Parameters<typeof someControl>[0]): Partial<View> => ({
  directory: observed({
    kind: 'cluster',
    majorVersion: 15,
    control: someControl(given),
    standbySignal: true,
    backupLabel: false,
  }),
});

decides([
  {
    when: 'gives a standby the time to recover, and says what it says of itself',
    view: aView(recovers(9000)),
    rule: 'R540',
    why: /recovered for 9 s .*starting up/,
    waitsFor: /end of recovery/,
    wakeAt: ahead(1000),
  },
  {
    when: 'looks why after ten seconds',
    view: aView(recovers(10_000)),
    rule: 'R540',
    actions: [DIAGNOSE],
  },
  {
    when: 'leaves it alone when nothing speaks against its log, for as long again',
    view: aView(recovers(15_000), looked(5000)),
    rule: 'R540',
    waitsFor: /nothing speaks against/,
    wakeAt: ahead(5000),
  },
  {
    when: 'looks again when it has recovered for twice as long',
    view: aView(recovers(20_000), looked(10_000)),
    rule: 'R540',
    actions: [DIAGNOSE],
  },
  {
    when: 'looks again every ten minutes when it takes hours',
    view: aView(recovers(7_200_000), looked(599_999)),
    rule: 'R540',
    wakeAt: ahead(1),
  },
  {
    when: 'does not go by what was found out before it was started',
    view: aView(recovers(9000), looked(9001, { walAvailable: 'no' })),
    rule: 'R540',
    wakeAt: ahead(1000),
  },
  {
    when: 'nor about another leader',
    view: aView(recovers(12_000), looked(1000, { generationId: 'g4', walAvailable: 'no' })),
    rule: 'R540',
    actions: [DIAGNOSE],
  },
  {
    when: 'stops it when its log is not part of the history of the leader',
    view: aView(recovers(12_000), looked(1000, { own: { timeline: 2, endLsn: END } })),
    rule: 'R540',
    why: /is not part of the history of pg1: stops to rejoin/,
    actions: [STOP],
  },
  {
    when: 'stops it when its pages are of a moment that the leader never had',
    view: aView(
      recovers(12_000),
      looked(1000, { own: { timeline: 2, endLsn: SWITCH } }),
      controlled({ minimumRecoveryTimeline: 2, minimumRecoveryLsn: lsn(SWITCH + 1n) }),
    ),
    rule: 'R540',
    why: /consistent only from 0\/3000001 of timeline 2 on/,
    actions: [STOP],
  },
  {
    when: 'has it cloned anew when the leader has recycled the log that it waits for',
    view: aView(recovers(12_000), looked(1000, { walAvailable: 'no' })),
    rule: 'R540',
    why: /no longer has the log/,
    remembers: { reclone: { fromLeader: true } },
  },
  {
    when: 'leaves it to its archive, when it has one',
    view: aView(recovers(12_000), looked(1000, { walAvailable: 'no' }), {
      settings: someSettings({ postgres: { recoveryConf: { restore_command: 'cp a b' } } }),
    }),
    rule: 'R540',
    waitsFor: /end of recovery/,
  },
  {
    when: 'does not ask a leader whose lease was released',
    view: aView(recovers(60_000), seen(aRecord({ lease: released() }), 200)),
    rule: 'R900',
  },
  {
    when: 'nor in a store that has lost the past',
    view: aView(recovers(60_000), seen(anEmptyRecord(), 200)),
    rule: 'R900',
  },
  {
    when: 'leaves a leader that recovers to its own rule',
    view: aView(holding(), recovers(60_000), { host: aHost() }),
    rule: 'R330',
  },
  {
    when: 'points it at a new leader first',
    view: aView(recovers(60_000)),
    memory: aMemory({ upstream: 'pg3@pg3.example:5432/pg2' }),
    rule: 'R530',
    actions: ['follow'],
  },
  {
    when: 'leaves one that answers nobody to the rule for that',
    view: aView(recovers(60_000), { silence: { probes: 1, waitedMillis: 1000 } }),
    rule: 'R900',
  },
]);
