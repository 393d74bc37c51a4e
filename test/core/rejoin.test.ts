import { describe, expect, test } from 'vitest';
import { lsn } from '../../src/core/lsn.ts';
import { planRejoin } from '../../src/core/rejoin.ts';
import type { RejoinEvidence, RejoinPlan } from '../../src/core/rejoin.ts';
import { someSettings } from '../harness/settings.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  END,
  someControl,
  SWITCH,
  SYSTEM,
} from '../harness/views.ts';

const policy = (given: Parameters<typeof someSettings>[0] = {}) => someSettings(given).policy;
const allowed = policy({ policy: { recloneOnDivergence: true, recloneOnRewindFailure: true } });
const evidence = (given: Partial<RejoinEvidence> = {}): RejoinEvidence => ({
  control: someControl(),
  diagnosis: aDiagnosis(),
  generation: aGeneration(),
  host: aHost(),
  policy: policy(),
  rewindFailed: undefined,
  ...given,
});
const past = aDiagnosis({ own: { timeline: 2, endLsn: lsn(SWITCH + 1n) } });
const twice = aHost({ promotions: [{ id: 'g5x', timeline: 3, switchLsn: SWITCH }] });

const rows: readonly (readonly [string, Partial<RejoinEvidence>, RejoinPlan['kind'], RegExp])[] = [
  ['on the timeline of the leader', {}, 'start', /0\/5000000 is part/],
  [
    'on the timeline of the leader, even past what it says it has',
    { diagnosis: aDiagnosis({ own: { timeline: 3, endLsn: lsn(END + 999n) } }) },
    'start',
    /is part/,
  ],
  [
    'on an ancestor, exactly to where the leader left it',
    { diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: SWITCH } }) },
    'start',
    /is part/,
  ],
  [
    'on an ancestor, one byte past where the leader left it',
    { diagnosis: past },
    'rewind',
    /past 0\/3000000/,
  ],
  [
    'half of it copied from one that the leader does not know, to where the leader left that timeline',
    {
      diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: SWITCH } }),
      control: someControl({ minimumRecoveryTimeline: 2, minimumRecoveryLsn: SWITCH }),
    },
    'start',
    /is part/,
  ],
  [
    'half of it copied from one that went on after the leader had left that timeline',
    {
      diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: SWITCH } }),
      control: someControl({ minimumRecoveryTimeline: 2, minimumRecoveryLsn: lsn(SWITCH + 1n) }),
    },
    'rewind',
    /consistent only from 0\/3000001 of timeline 2 on/,
  ],
  [
    'on a timeline that the leader never was on',
    { diagnosis: aDiagnosis({ own: { timeline: 9, endLsn: END } }) },
    'rewind',
    /timeline 9 is not in the leader's history/,
  ],
  [
    'with an end that cannot be read, on an ancestor',
    { diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: undefined } }) },
    'rewind',
    /cannot be read/,
  ],
  [
    'with an end that cannot be read, on the timeline of the leader by its control data',
    { diagnosis: aDiagnosis({ own: { timeline: 0, endLsn: undefined } }) },
    'start',
    /is on timeline 3, as the leader is/,
  ],
  [
    'with an end that cannot be read, cleanly shut down before the leader left its timeline',
    {
      diagnosis: aDiagnosis({ own: { timeline: 0, endLsn: undefined } }),
      control: someControl({
        state: 'shut down',
        timeline: 2,
        minimumRecoveryTimeline: 0,
        checkpointLsn: lsn(SWITCH - 1n),
      }),
    },
    'start',
    /shut down before the leader left timeline 2/,
  ],
  [
    'with an end that cannot be read, cleanly shut down where the leader had left its timeline',
    {
      diagnosis: aDiagnosis({ own: { timeline: 0, endLsn: undefined } }),
      control: someControl({
        state: 'shut down',
        timeline: 2,
        minimumRecoveryTimeline: 0,
        checkpointLsn: SWITCH,
      }),
    },
    'rewind',
    /cannot be read/,
  ],
  [
    'diverged and rewinding is off',
    { diagnosis: past, policy: policy({ policy: { usePgRewind: false } }) },
    'refuse',
    /past/,
  ],
  [
    'diverged without checksums or hints',
    { diagnosis: past, control: someControl({ rewindable: false }) },
    'refuse',
    /past/,
  ],
  [
    'diverged without checksums or hints where cloning is allowed',
    { diagnosis: past, control: someControl({ rewindable: false }), policy: allowed },
    'reclone',
    /past/,
  ],
  [
    'diverged with a control file that has no checkpoint',
    { diagnosis: past, control: someControl({ checkpointLsn: lsn(0n) }) },
    'refuse',
    /past/,
  ],
  [
    'diverged and the rewind failed',
    { diagnosis: past, rewindFailed: 'no space' },
    'refuse',
    /pg_rewind failed: no space/,
  ],
  [
    'diverged and the rewind failed where cloning is allowed',
    { diagnosis: past, rewindFailed: 'no space', policy: allowed },
    'reclone',
    /pg_rewind failed: no space/,
  ],
  [
    'diverged and the rewind failed where only divergence may be cloned',
    {
      diagnosis: past,
      rewindFailed: 'no space',
      policy: policy({ policy: { recloneOnDivergence: true } }),
    },
    'refuse',
    /pg_rewind failed/,
  ],
  [
    'promoted twice under one number: pg_rewind would see nothing to do',
    { host: twice },
    'refuse',
    /promoted here under generation g5x, and in the cluster under another/,
  ],
  [
    'promoted twice under one number where cloning is allowed',
    { host: twice, policy: allowed },
    'reclone',
    /promoted here under generation g5x/,
  ],
  [
    'promoted here, and the leader follows from that',
    {
      host: aHost({ promotions: [{ id: 'g4', timeline: 2, switchLsn: SWITCH }] }),
      diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: SWITCH } }),
    },
    'start',
    /is part/,
  ],
  [
    'promoted a second time under a generation of which the leader knows the first',
    { host: aHost({ promotions: [{ id: 'g4', timeline: 3, switchLsn: SWITCH }] }) },
    'refuse',
    /promoted here under generation g4/,
  ],
  [
    'promoted under a number that the leader never was on: pg_rewind sees it',
    {
      host: aHost({ promotions: [{ id: 'g5x', timeline: 9, switchLsn: SWITCH }] }),
      diagnosis: aDiagnosis({ own: { timeline: 9, endLsn: END } }),
    },
    'rewind',
    /timeline 9 is not in the leader's history/,
  ],
  [
    'the leader has promoted further than its record says',
    {
      diagnosis: aDiagnosis({ source: { systemIdentifier: SYSTEM, timeline: 4, switches: [] } }),
    },
    'wait',
    /is on timeline 4, its record still says 3/,
  ],
  [
    'the leader no longer has the log',
    { diagnosis: aDiagnosis({ walAvailable: 'no' }) },
    'reclone',
    /no longer has the log/,
  ],
  [
    'whether the leader has the log is unknown',
    { diagnosis: aDiagnosis({ walAvailable: 'unknown' }) },
    'start',
    /is part/,
  ],
  [
    'the leader could not be asked',
    { diagnosis: aDiagnosis({ source: undefined, why: 'connection refused' }) },
    'wait',
    /connection refused/,
  ],
  [
    'the leader is of another system',
    {
      diagnosis: aDiagnosis({
        source: { systemIdentifier: '1111111111111111111', timeline: 3, switches: [] },
      }),
      policy: allowed,
    },
    'refuse',
    /belongs to system/,
  ],
];

describe('a stopped member', () => {
  for (const [title, given, kind, why] of rows) {
    test(`${kind}: ${title}`, () => {
      const plan = planRejoin(evidence(given));
      expect(plan.kind).toBe(kind);
      expect(plan.why).toMatch(why);
    });
  }

  test('that needs a person says what to do', () => {
    const plan = planRejoin(evidence({ host: twice }));
    expect(plan.kind === 'refuse' && plan.remedy).toMatch(/pgbaton reinit/);
  });
});
