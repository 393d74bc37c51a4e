import { instant } from '../../src/core/time.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';

/** For tests against real servers, and for those that do not care. */
export const realClock: Clock = {
  now: () => instant(performance.now()),
  wall: () => Date.now(),
  timer: (delay, callback) => {
    const timer = setTimeout(callback, delay);
    return () => {
      clearTimeout(timer);
    };
  },
};

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Rounds of the microtask queue that promise chains of a few steps get to settle. */
const SETTLE_ROUNDS = 50;

/** Time that moves only when told. */
export class ManualClock implements Clock {
  #now = 1000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): Instant {
    return instant(this.#now);
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  timer(delay: Millis, callback: () => void): () => void {
    this.#order += 1;
    const timer = { at: this.#now + Math.max(0, delay), order: this.#order, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Runs everything due within `millis`, in order, letting promises settle after each. */
  async advance(millis: Millis): Promise<void> {
    const end = this.#now + millis;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    return [...this.#timers]
      .filter((timer) => timer.at <= end)
      .sort((a, b) => a.at - b.at || a.order - b.order)[0];
  }
}

async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round += 1) await Promise.resolve();
}

/** The same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const word = (): string =>
    Math.floor(fraction() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return { fraction, id: () => `${word()}${word()}` };
}
