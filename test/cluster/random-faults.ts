import { FAULTS } from './faults/catalogue.ts';
import type { Fault } from './fault.ts';
import type { TrialOptions } from './trial.ts';

/** Every third trial has two faults at once. */
const PAIRS_OF = 3;
const APART_MILLIS = 3_000;
/** A random run tries many things: what takes a minute by itself takes less here. */
const HOLD_MILLIS = { least: 2_000, most: 25_000 };

/** mulberry32: the same seed draws the same numbers on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Trials without end, the same for the same seed; how they go is up to real servers. */
export function* randomTrials(seed: number): Generator<TrialOptions> {
  const random = seededRandom(seed);
  const possible = FAULTS.filter(({ impossible }) => impossible?.() === undefined);
  const draw = (): Fault => {
    const fault = possible[Math.floor(random() * possible.length)];
    if (fault === undefined) throw new Error('no fault is possible');
    return fault;
  };
  for (;;) {
    const first = draw();
    const faults = [{ fault: first, afterMillis: 0 }];
    if (random() < 1 / PAIRS_OF) {
      const second = draw();
      const afterMillis = Math.floor(random() * APART_MILLIS);
      if (second !== first) faults.push({ fault: second, afterMillis });
    }
    const { least, most } = HOLD_MILLIS;
    yield { faults, holdMillis: least + Math.floor(random() * (most - least)) };
  }
}
