import { BRAKE_NAMES } from '../../src/core/brake.ts';

/** Longest time between a reload and the moment that a process of the server goes by it. */
export const RELOAD_WITHIN_MILLIS = 20;
/** How often the checkpointer is at work when a brake is put on, and how long at most. */
const CHECKPOINT_SHARE = 0.2;
const CHECKPOINT_MILLIS = 3000;

/** What the brake needs of its server. */
interface Braked {
  now(): number;
  chance(): number;
  later(delay: number, then: () => void): void;
  /** The checkpointer has taken notice: commits wait, or do not. */
  hold(held: boolean): void;
}

/** The commit brake of one server: a file, who has read it, and a checkpointer that may be busy. */
export class CommitBrake {
  readonly #server: Braked;
  #file = false;
  #shown = false;
  #checkpointUntil = 0;

  constructor(server: Braked) {
    this.#server = server;
  }

  /** No start finds a file of before. */
  started(): void {
    this.#file = false;
    this.#shown = false;
    this.#checkpointUntil = 0;
  }

  checkpointsFor(millis: number): void {
    this.#checkpointUntil = Math.max(this.#checkpointUntil, this.#server.now() + millis);
  }

  /** What a session shows instead of the names that are set otherwise. */
  shown(otherwise: string): string {
    return this.#shown ? BRAKE_NAMES : otherwise;
  }

  /** Sessions go by the file at once; whether a commit waits is up to the checkpointer. */
  set(on: boolean): void {
    if (this.#file === on) return;
    this.#file = on;
    const server = this.#server;
    if (on && server.chance() < CHECKPOINT_SHARE)
      this.checkpointsFor(server.chance() * CHECKPOINT_MILLIS);
    server.later(server.chance() * RELOAD_WITHIN_MILLIS, () => {
      this.#shown = this.#file;
    });
    const busyMillis = Math.max(0, this.#checkpointUntil - server.now());
    server.later(busyMillis + server.chance() * RELOAD_WITHIN_MILLIS, () => {
      server.hold(this.#file);
    });
  }
}
