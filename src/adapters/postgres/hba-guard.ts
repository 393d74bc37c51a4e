import type { Millis } from '../../core/time.ts';
import { sleep } from '../../ports/clock.ts';
import type { Clock } from '../../ports/clock.ts';
import { turnGuard } from './configuration.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';

/** The postmaster reads its files within milliseconds of a signal; a busy host takes longer. */
const REREAD_MILLIS = 2000;

/**
 * Keeps the postgresql.conf of a server that runs refusing to whoever starts it by hand, except for
 * the moments of our own reloads: PostgreSQL would complain at each of an hba_file that differs from
 * the one it runs with. Also lets only one at a time write the configuration.
 */
export class HbaGuard {
  readonly #context: Context;
  readonly #clock: Clock;
  #tail: Promise<unknown> = Promise.resolve();
  #cancel: (() => void) | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#clock = context.clock;
  }

  /** Runs after everything that was asked for before. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  /** Opens it for a reload that cannot wait for its turn: what comes of it is only a complaint in the log. */
  async openWithin(boundMillis: Millis): Promise<void> {
    const opened = this.exclusively(() => turnGuard(this.#context, 'open')).then(
      () => this.closeSoon(),
      () => undefined,
    );
    await Promise.race([opened, sleep(this.#clock, boundMillis)]);
  }

  /** To be called after a reload with an open guard. */
  closeSoon(): void {
    this.#cancel?.();
    this.#cancel = this.#clock.timer(REREAD_MILLIS, () => void this.close());
  }

  /** Refusing again, durably. */
  async close(): Promise<void> {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    try {
      await this.exclusively(() => turnGuard(this.#context, 'refusing'));
    } catch (error) {
      this.#context.logger.log('warn', 'postgresql.conf does not refuse a start by hand', {
        error: messageOf(error),
      });
    }
  }
}
