import * as fc from 'fast-check';
import { ABSENT } from '../../src/core/cluster.ts';
import type { Slot } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import { ago, ahead, END, garbled, present, SWITCH, SYSTEM } from './views.ts';

/** Few values, close together, because boundaries are where faults are. */
const OTHER_SYSTEM = '1111111111111111111';
export const MEMBERS = ['pg1', 'pg2', 'pg3'] as const;

export const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });
export const rarely = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: of });
export const name = fc.constantFrom(...MEMBERS);
export const identifier = fc.constantFrom('g3', 'g4', 'g5', 'g6');
export const position = fc
  .constantFrom(0n, SWITCH - 1n, SWITCH, SWITCH + 1n, END, END + 2_000_000n)
  .map(lsn);
export const timeline = fc.constantFrom(0, 1, 2, 3, 4);
export const promoted = fc.constantFrom(1, 2, 3, 4);
export const number = fc.integer({ min: 0, max: 8 });
export const index = fc.integer({ min: 1, max: 4 });
/** Around every bound that a rule knows. */
export const age = fc.constantFrom(
  0,
  1,
  40,
  999,
  1000,
  3079,
  3080,
  3081,
  5000,
  6160,
  9000,
  61_000,
  400_000,
);
export const before = age.map((millis) => ago(millis));
export const around = fc.oneof(
  before,
  fc.constantFrom(0, 1, 500, 1499, 1500, 2500).map((m) => ahead(m)),
);
export const systemIdentifier = fc.oneof(
  { weight: 15, arbitrary: fc.constant(SYSTEM) },
  { weight: 1, arbitrary: fc.constant(OTHER_SYSTEM) },
);

export const slot = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Slot<T>> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(value, index).map(([of, at]) => present(of, at)) },
    { weight: 1, arbitrary: fc.constant(ABSENT) },
    { weight: 1, arbitrary: index.map((at) => garbled(at)) },
  );
