import * as fc from 'fast-check';
import { ago } from './views.ts';

const before = fc.integer({ min: 0, max: 20_000 }).map(ago);

/** When the own Postgres was last heard, and how long nobody has answered: mostly somebody has. */
export const signsOfLife = {
  answeredAt: fc.option(before, { nil: undefined }),
  aliveAt: fc.option(before, { nil: undefined }),
  disk: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        freeBytes: fc.constantFrom(0, 20_000_000, 1e12),
        fullSince: fc.option(before, { nil: undefined }),
      }),
    },
  ),
  silence: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        probes: fc.integer({ min: 1, max: 5 }),
        waitedMillis: fc.integer({ min: 1, max: 20_000 }),
      }),
    },
  ),
};
