import type { Random } from '../../src/ports/clock.ts';

/** How far two draws differ: enough to make every identity another one, too little for any clock. */
const STEP = 1e-9;

/**
 * Everything takes its average time: a transcript tells one story, and goes on telling it when
 * something elsewhere in the world draws once more than before.
 */
export function calmRandom(): Random {
  let drawn = 0;
  return {
    fraction: () => {
      drawn += 1;
      return 0.5 + (drawn % 1_000_000) * STEP;
    },
    id: () => {
      drawn += 1;
      return `id${drawn.toString(16).padStart(14, '0')}`;
    },
  };
}
