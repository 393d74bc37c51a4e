import * as fc from 'fast-check';
import { ABSENT } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { Memory } from '../../src/core/memory.ts';
import type { View } from '../../src/core/view.ts';
import { wildMemory, wildRecord, wildView } from './arbitrary-views.ts';
import {
  aDiagnosis,
  aGeneration,
  aHost,
  aMember,
  aMemory,
  aRecord,
  asked,
  aView,
  anEmptyRecord,
  down,
  holding,
  noAnswer,
  observed,
  opinion,
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
  aView(seen(anEmptyRecord({ members: [other] }), SILENCE_MILLIS), asked(noAnswer('pg3'))),
  aView(seen(anEmptyRecord(), SILENCE_MILLIS), withoutData()),
  aView(down(), { diagnosis: aDiagnosis() }),
  aView(down(), {
    diagnosis: aDiagnosis({ own: { timeline: 2, endLsn: lsn(SWITCH + 1n) } }),
  }),
  aView(withoutData()),
  aView(holding(), primary()),
  aView(holding(), primary(), {
    cluster: observed(anEmptyRecord({ generation: mine })),
    host: aHost({ founding: SYSTEM, systemIdentifier: undefined }),
  }),
  aView(holding(), standby()),
  aView(holding(), silent()),
  aView(holding(), down({}, 'exited')),
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
