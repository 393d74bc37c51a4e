import type { EpochMillis, Instant, Millis } from '../core/time.ts';

/** Time, and the only way to wait. Simulated clocks implement the same interface. */
export interface Clock {
  /** Boot-time clock: monotonic, goes on during a suspend. */
  now(): Instant;
  /** For people and logs only. */
  wall(): EpochMillis;
  /** Calls back once, `delay` from now; the answer cancels it. */
  timer(delay: Millis, callback: () => void): () => void;
}

/** Randomness, so that a simulation can own it. */
export interface Random {
  /** Unguessable, at least 64 bits, URL-safe. */
  id(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

/** Waits, or returns early with false when the signal is aborted. */
export function sleep(clock: Clock, delay: Millis, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve(false);
      return;
    }
    const onAbort = (): void => {
      cancel();
      resolve(false);
    };
    const cancel = clock.timer(delay, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(true);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
