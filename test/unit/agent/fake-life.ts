import type { Millis } from '../../../src/core/time.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { FakeStore } from '../../harness/fake-store.ts';

/**
 * One run of an agent's process. Killed, no code of it runs any more: its timers never fire and
 * nothing that it waits for ever answers. What it has sent goes on without it.
 */
export class FakeLife {
  readonly clock: Clock;
  #alive = true;

  constructor(clock: Clock) {
    this.clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      timer: (delay: Millis, callback: () => void) =>
        clock.timer(delay, () => {
          if (this.#alive) callback();
        }),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  kill(): void {
    this.#alive = false;
  }

  /** The answer to something that this process asked for. */
  hears<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      void answer.then((value) => {
        if (this.#alive) resolve(value);
      });
    });
  }

  store(store: FakeStore): FakeStore {
    return {
      read: (timeout) => this.hears(store.read(timeout)),
      watch: (index, wait, signal) => this.hears(store.watch(index, wait, signal)),
      commit: (write, timeout) => this.hears(store.commit(write, timeout)),
      openSession: (timeout) => this.hears(store.openSession(timeout)),
      renewSession: (session, timeout) => this.hears(store.renewSession(session, timeout)),
      closeSession: (session, timeout) => this.hears(store.closeSession(session, timeout)),
      close: () => {
        store.close();
      },
    };
  }
}
