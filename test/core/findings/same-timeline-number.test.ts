import { expect, test } from 'vitest';
import { planRejoin } from '../../../src/core/rejoin.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { View } from '../../../src/core/view.ts';
import { orphaned } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  aMemory,
  aRecord,
  aView,
  END,
  present,
  seen,
  someControl,
  standby,
  SWITCH,
  SYSTEM,
} from '../../harness/views.ts';

// 1. pg2 is promoted to timeline 3 under generation 5, and dies before anyone has a byte of it.
// 2. pg1, of timeline 2, takes over generation 6 and is promoted: to a timeline 3 of its own.
// 3. pg2 comes back, on "timeline 3" like its leader: by numbers nothing is wrong.
const GENERATION = aGeneration({
  n: 6,
  id: 'g6',
  holder: 'pg1',
  timeline: 3,
  ancestors: [{ id: 'g4', timeline: 2, switchLsn: lsn(1n) }],
});
const HOST = aHost({
  promotions: [{ id: 'g5', timeline: 3, switchLsn: SWITCH }],
  followed: { id: 'g5', timeline: 3 },
});
const generation = present(GENERATION);
const running = (...parts: readonly Partial<View>[]): View =>
  aView(
    seen(aRecord({ generation }), 100),
    standby({ receiverState: undefined }),
    { host: HOST },
    ...parts,
  );

decides([
  {
    when: 'a standby whose timeline was promoted here does not follow another promotion of that number',
    view: running(),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
    why: /promoted here under generation g5/,
  },
  {
    when: 'nor does it when it seems to stream',
    view: running(standby({ receiverState: 'streaming' })),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
  },
  {
    when: 'such a standby is no candidate either',
    view: orphaned({ generation }, { host: HOST }),
    rule: 'R590',
    why: /of generation g5/,
  },
]);

test('such a member is cloned anew or refused: pg_rewind would find nothing to do', () => {
  const evidence = {
    control: someControl({ state: 'shut down' }),
    diagnosis: aDiagnosis({ generationId: 'g6' }),
    generation: GENERATION,
    host: HOST,
    rewindFailed: undefined,
  };
  const { policy } = someSettings();
  expect(planRejoin({ ...evidence, policy }).kind).toBe('refuse');
  const allowed = { ...policy, recloneOnDivergence: true };
  expect(planRejoin({ ...evidence, policy: allowed }).kind).toBe('reclone');
});

// 1. pg3 is promoted to timeline 4 under generation 6; pg2 streams from it, and goes over to 4 by
//    itself. Consul has no leader: that promotion is never recorded. pg3 dies.
// 2. pg1, which has nothing of timeline 4, is promoted from the same position: to a 4 of its own.
// 3. pg2 is on "timeline 4", like its leader.
const SEVENTH = aGeneration({ n: 7, id: 'g7', timeline: 4 });
const RECEIVED = aHost({ followed: { id: 'g6', timeline: 4 } });
const behind = (...parts: readonly Partial<View>[]): View =>
  aView(
    seen(aRecord({ generation: present(SEVENTH) }), 100),
    standby({ timeline: 4 }),
    { host: RECEIVED },
    ...parts,
  );

decides([
  {
    when: 'a standby does not follow a timeline of the number that it received under another promotion',
    view: behind(),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
    why: /received under generation g6/,
  },
  {
    when: 'nor one of a holder that is in the history with another promotion',
    view: behind({ host: aHost({ followed: { id: 'g4', timeline: 4 } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
    why: /received under generation g4/,
  },
  {
    when: 'nor one that it went over to by itself behind a former leader, before it was noted',
    view: behind({ host: aHost({ followed: { id: 'g4', timeline: 2, from: 'pg3' } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
  },
  {
    when: 'it follows the one that it went over to behind the leader itself',
    view: behind({ host: aHost({ followed: { id: 'g4', timeline: 2, from: 'pg1' } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: ['follow'],
  },
  {
    when: 'it follows one that only a guess gives to another, and that began where the leader had it begin',
    view: behind({
      host: aHost({ followed: { id: 'g6', timeline: 4, guessedFrom: SEVENTH.switchLsn } }),
    }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: ['follow'],
  },
  {
    when: 'but not one that began elsewhere, even if the guess gives it to the leader',
    view: behind({
      host: aHost({
        followed: { id: 'g7', timeline: 4, guessedFrom: lsn(SEVENTH.switchLsn + 8n) },
      }),
    }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: [{ kind: 'stop', mode: 'fast' }],
  },
  {
    when: 'it follows one that it received under the present generation',
    view: behind({ host: aHost({ followed: { id: 'g7', timeline: 4 } }) }),
    memory: aMemory({ upstream: undefined }),
    rule: 'R530',
    actions: ['follow'],
  },
]);

test('what was received under another promotion of the same number is not simply started behind it', () => {
  const plan = planRejoin({
    control: someControl({ state: 'shut down in recovery', timeline: 4 }),
    diagnosis: aDiagnosis({
      generationId: 'g7',
      own: { timeline: 4, endLsn: END },
      source: {
        systemIdentifier: SYSTEM,
        timeline: 4,
        switches: [{ parent: 3, switchLsn: SWITCH, reason: '' }],
      },
    }),
    generation: SEVENTH,
    host: RECEIVED,
    policy: { ...someSettings().policy, recloneOnDivergence: true },
    rewindFailed: undefined,
  });
  expect(plan).toMatchObject({ kind: 'reclone', why: /received here under generation g6/ });
});
