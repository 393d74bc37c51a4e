import * as fc from 'fast-check';
import { ABSENT } from '../../src/core/cluster.ts';
import type { Slot, SyncKey } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { Memory } from '../../src/core/memory.ts';
import { NO_SYNC_FACTS } from '../../src/core/sync-facts.ts';
import type { SyncFacts } from '../../src/core/sync-facts.ts';
import type { View } from '../../src/core/view.ts';
import { inMaintenance, someSettings } from './settings.ts';
import { aReplicationRow, aSyncKey } from './sync-views.ts';
import { wildMemory, wildRecord, wildView } from './arbitrary-views.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  aLease,
  aMember,
  aMemory,
  aRecord,
  ago,
  asked,
  aView,
  command,
  anEmptyRecord,
  down,
  holding,
  noAnswer,
  observed,
  opinion,
  ownRecord,
  present,
  primary,
  released,
  seen,
  SELF,
  silent,
  SILENCE_MILLIS,
  standby,
  SWITCH,
  SYSTEM,
  withoutData,
} from './views.ts';

const mine = present(aGeneration({ holder: SELF }), 2);
const other = aMember('pg3');
const orphan = { leader: ABSENT, members: [aMember(SELF), other] };
/** Leads with pg3 as its synchronous standby, or is about to. */
const synchronousLeader = (sync: Slot<SyncKey>, given: Partial<SyncFacts> = {}): View =>
  aView(
    holding(),
    seen(ownRecord({ sync }), 500),
    primary({ replication: [aReplicationRow('pg3')], synchronousStandbyNames: '"pg3"' }),
    {
      settings: someSettings({
        policy: {
          synchronous: { mode: 'on', strict: false, nodeCount: 1, maximumLagBytes: undefined },
        },
      }),
      sync: { ...NO_SYNC_FACTS, told: { names: '"pg3"', at: ago(1000) }, ...given },
    },
  );

/** Moments at which something is decided; disturbed in a few places they are where faults would be. */
const SCENES: readonly View[] = [
  aView(),
  aView({ host: aHost({ followed: { id: 'g4', timeline: 2 } }) }),
  aView(
    seen(aRecord(orphan), SILENCE_MILLIS),
    asked(opinion('pg3', { highestGeneration: { n: 8, id: 'g8' } })),
  ),
  aView(seen(aRecord(orphan), SILENCE_MILLIS), asked(opinion('pg3'))),
  aView(seen(aRecord({ ...orphan, lease: released({ handoff: SELF }) }), 5)),
  aView(seen(aRecord({ ...orphan, lease: released() }), 5), asked(opinion('pg3'))),
  aView(seen(aRecord({ ...orphan, generation: mine }), 90), { lapsedId: 'g5' }, asked()),
  aView(
    seen(
      aRecord({ ...orphan, generation: mine, lease: present(aLease({ paused: true }), 20) }),
      SILENCE_MILLIS,
    ),
    { lapsedId: 'g5', over: 'g5' },
    withoutData(),
  ),
  aView(seen(anEmptyRecord({ members: [other] }), SILENCE_MILLIS), asked(noAnswer('pg3'))),
  aView(seen(anEmptyRecord(), SILENCE_MILLIS), withoutData()),
  aView(down(), { diagnosis: aDiagnosis() }),
  aView(down(), {
    diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: lsn(SWITCH + 1n) } }),
  }),
  aView(withoutData()),
  aView(holding(), primary()),
  aView(holding(), primary(), { disk: { freeBytes: 0, fullSince: ago(60_000) } }),
  aView(
    seen(
      aRecord({
        ...orphan,
        lease: present(aLease({ reachMillis: 15_000 }), 20),
        failsafe: present({ [SELF]: aMember(SELF).key.apiUrl, pg1: '', pg3: other.key.apiUrl }, 40),
      }),
      SILENCE_MILLIS / 10,
    ),
    asked(opinion('pg3', { promiseFreeMillis: 100 })),
  ),
  aView(holding(), primary(), {
    cluster: observed(anEmptyRecord({ generation: mine })),
    host: aHost({ founding: SYSTEM, systemIdentifier: undefined }),
  }),
  aView(holding(), standby()),
  synchronousLeader(present(aSyncKey(), 40), { written: { leaseId: 'g5', index: 40 } }),
  synchronousLeader(present(aSyncKey({ standbys: [] }), 40), {
    written: { leaseId: 'g5', index: 40 },
  }),
  synchronousLeader(ABSENT),
  aView(holding(), seen(ownRecord({ sync: present(aSyncKey(), 40) }), 90), standby(), {
    sync: { ...NO_SYNC_FACTS, written: { leaseId: 'g5', index: 40 } },
  }),
  aView(
    seen(
      aRecord({ ...orphan, sync: present(aSyncKey({ leader: 'pg1', standbys: ['pg2'] })) }),
      SILENCE_MILLIS,
    ),
    asked(opinion('pg3')),
  ),
  aView(
    seen(
      aRecord({
        ...orphan,
        sync: present(aSyncKey({ leader: 'pg1', standbys: ['pg2', 'pg3'], quorum: 1 })),
      }),
      SILENCE_MILLIS,
    ),
    asked(opinion('pg3', { lsnAgeMillis: 5 })),
  ),
  aView(holding(), silent()),
  aView(holding(), down({}, 'exited')),
  aView(down(), inMaintenance()),
  aView(holding({ paused: true }), primary(), inMaintenance(), command({ kind: 'shutdown' })),
  aView(
    seen(aRecord({ ...orphan, lease: present(aLease({ paused: true }), 20) }), SILENCE_MILLIS),
    asked(opinion('pg3', { newestBeat: undefined })),
    command({ kind: 'abandon' }),
  ),
  aView(
    seen(aRecord({ ...orphan, lease: present(aLease({ paused: true }), 20) }), SILENCE_MILLIS),
    asked(opinion('pg3')),
    command({ kind: 'failover', candidate: SELF, holderIsDown: true }),
  ),
];

const keysOf = <T extends object>(of: T): readonly (keyof T)[] => Object.keys(of) as (keyof T)[];

/** `calm` with up to `count` of its parts as in `wild`. */
const disturbed = <T extends object>(
  calm: T,
  wild: fc.Arbitrary<T>,
  count: number,
): fc.Arbitrary<T> =>
  fc.tuple(wild, fc.subarray([...keysOf(calm)], { maxLength: count })).map(([from, keys]) => ({
    ...calm,
    ...Object.fromEntries(keys.map((key) => [key, from[key]])),
  }));

const disturbedRecord = (view: View): fc.Arbitrary<View> =>
  view.cluster === undefined
    ? fc.constant(view)
    : disturbed(view.cluster.value, wildRecord, 2).map((value) => ({
        ...view,
        cluster: observed(value),
      }));

export const arbitraryView: fc.Arbitrary<View> = fc.oneof(
  wildView,
  fc.constantFrom(...SCENES).chain((scene) => disturbed(scene, wildView, 2)),
  fc.constantFrom(...SCENES).chain(disturbedRecord),
  fc
    .constantFrom(...SCENES)
    .chain(disturbedRecord)
    .chain((scene) => disturbed(scene, wildView, 1)),
);

export const arbitraryMemory: fc.Arbitrary<Memory> = fc.oneof(
  wildMemory,
  disturbed(aMemory(), wildMemory, 2),
);
