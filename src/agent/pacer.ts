import type { Millis } from '../core/time.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * Runs one step at a time, again after the pause the step asks for, or at once when poked. A poke
 * during a step makes exactly one more step follow.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #step: () => Promise<Millis | undefined>;
  #running = false;
  #again = false;
  #stopped = false;
  #cancelTimer: (() => void) | undefined;

  /** @param step answers the pause before the next step; undefined: none until poked. */
  constructor(clock: Clock, step: () => Promise<Millis | undefined>) {
    this.#clock = clock;
    this.#step = step;
  }

  poke(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#cancelTimer?.();
    let pauseMillis: Millis | undefined;
    do {
      this.#again = false;
      pauseMillis = await this.#step();
    } while (this.#again && !this.#stopped);
    this.#running = false;
    if (pauseMillis === undefined || this.#stopped) return;
    this.#cancelTimer = this.#clock.timer(pauseMillis, () => {
      this.poke();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }
}
