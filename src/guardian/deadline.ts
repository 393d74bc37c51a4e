import type { Millis } from '../core/time.ts';
import { bootMillis } from './boottime.ts';

/**
 * A timer stands still while the host is suspended, so the clock is looked at this often while a
 * deadline is set: what has passed meanwhile is acted on at the first look after the host wakes.
 */
const LOOK_MILLIS = 50;

/** Calls back once when a point in boot time is reached, however it was reached. */
export class DeadlineWatch {
  readonly #onDue: () => void;
  readonly #now: () => Millis;
  #at: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onDue: () => void, now: () => Millis = bootMillis) {
    this.#onDue = onDue;
    this.#now = now;
  }

  /** Replaces what was set. A point that has passed is due at once. */
  set(at: number): void {
    this.#at = at;
    this.#look();
  }

  clear(): void {
    this.#at = undefined;
    clearTimeout(this.#timer);
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (this.#at === undefined) return;
    const leftMillis: Millis = this.#at - this.#now();
    if (leftMillis <= 0) {
      this.#at = undefined;
      this.#onDue();
      return;
    }
    this.#timer = setTimeout(
      () => {
        this.#look();
      },
      Math.min(LOOK_MILLIS, Math.ceil(leftMillis)),
    );
  }
}
