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
  present,
  seen,
  someControl,
  standby,
  SWITCH,
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
