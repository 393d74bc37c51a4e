import { setTimeout as pause } from 'node:timers/promises';
import type { Millis } from '../core/time.ts';
import { DemoError } from './demo-error.ts';

/** A condition that did not come true in time; the message names it and what was seen last. */
class TimedOutError extends DemoError {
  override readonly name = 'TimedOutError';
}

export interface UntilOptions {
  readonly timeoutMillis: Millis;
  readonly intervalMillis?: Millis;
  /** Gives up at once with the error it returns. */
  readonly abort?: () => Error | undefined;
}

const DEFAULT_INTERVAL_MILLIS = 50;

/**
 * Asks `condition` again and again until it answers anything but undefined or false. An exception of
 * the condition means "not yet"; it is named when the time is over.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  options: UntilOptions,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMillis;
  let last = '';
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    const abort = options.abort?.();
    if (abort !== undefined) throw abort;
    if (performance.now() >= deadline) {
      const seen = last === '' ? '' : ` (last: ${last})`;
      throw new TimedOutError(
        `${what} did not happen within ${options.timeoutMillis / 1000} s${seen}`,
      );
    }
    await pause(options.intervalMillis ?? DEFAULT_INTERVAL_MILLIS);
  }
}

export { pause };
