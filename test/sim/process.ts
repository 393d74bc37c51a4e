import { instant } from '../../src/core/time.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { QUIET } from '../harness/quiet.ts';
import type { EventQueue } from './events.ts';

const EPOCH_MILLIS = 1_700_000_000_000;

/** A callback of a port answers nothing; one of the simulated world may say that it was quiet. */
const tell: (callback: () => unknown) => unknown = (callback) => callback();

/** A host's boot-time clock: an offset of its own, and a rate that is a little wrong. */
export class HostClock {
  readonly #queue: EventQueue;
  readonly #rate: number;
  #offset: number;
  #wallOffset = 0;

  constructor(queue: EventQueue, rate: number, offset: number) {
    this.#queue = queue;
    this.#rate = rate;
    this.#offset = offset;
  }

  now(): Instant {
    return instant(this.#offset + this.#queue.now * this.#rate);
  }

  wall(): number {
    return EPOCH_MILLIS + this.#wallOffset + this.#queue.now;
  }

  /** Somebody, or NTP, sets the time of day: so much off the true one. */
  setWall(offset: number): void {
    this.#wallOffset = offset;
  }

  /** World time that passes while this clock counts `delay`. */
  toWorld(delay: Millis): number {
    return delay / this.#rate;
  }

  /** The clock has stood still, with the whole machine, for so long. */
  lose(millis: Millis): void {
    this.#offset -= millis * this.#rate;
  }

  /** The host was booted again: its clock starts anew. */
  reboot(): void {
    this.#offset = -this.#queue.now * this.#rate + 1000;
  }
}

/**
 * A process of a host: whatever calls back into it goes through `run`, so that a stopped process
 * does nothing until it is continued, and a dead one never does anything again.
 */
export class SimProcess {
  readonly #queue: EventQueue;
  readonly #hostClock: HostClock;
  readonly #frozen = new Set<string>();
  #deferred: (() => unknown)[] = [];
  #alive = true;
  /** World time at which it began, or last went on after a standstill. */
  runsSince: number;
  /** By how much its next timer is late. */
  late: () => number = () => 0;

  constructor(queue: EventQueue, hostClock: HostClock) {
    this.#queue = queue;
    this.#hostClock = hostClock;
    this.runsSince = queue.now;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get frozen(): boolean {
    return this.#frozen.size > 0;
  }

  /** Answers what the callback does, if it runs now. */
  run(callback: () => unknown): unknown {
    if (!this.#alive) return QUIET;
    if (this.#frozen.size === 0) return callback();
    this.#deferred.push(callback);
    return QUIET;
  }

  /** `delay` of world time from now. */
  after(delay: Millis, callback: () => unknown): () => void {
    return this.#queue.after(delay, () => this.run(callback));
  }

  /** Resolves in this process, and never when it has died. */
  deliver<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      void promise.then((value) => {
        this.run(() => {
          resolve(value);
        });
      });
    });
  }

  /** Answers after `delay` with what `produce` says then. */
  answer<T>(delay: Millis, produce: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.after(delay, () => {
        resolve(produce());
      });
    });
  }

  kill(): void {
    this.#alive = false;
    this.#deferred = [];
  }

  /** `why` lets several reasons for standing still overlap. */
  freeze(why: string): void {
    this.#frozen.add(why);
  }

  /** Goes on: what was due meanwhile happens now, each as an event of its own. */
  thaw(why: string): void {
    const stood = this.#frozen.delete(why);
    if (this.frozen || !this.#alive) return;
    if (stood) this.runsSince = this.#queue.now;
    const due = this.#deferred;
    this.#deferred = [];
    for (const callback of due) this.after(0, callback);
  }

  /** The clock as this process uses it. */
  clock(): Clock {
    return {
      now: () => this.#hostClock.now(),
      wall: () => this.#hostClock.wall(),
      timer: (delay, callback) => {
        // Node counts whole milliseconds, at least one: a timer may be early by a fraction.
        const millis = Math.max(1, Math.floor(delay));
        let cancelled = false;
        const cancel = this.after(this.#hostClock.toWorld(millis) + this.late(), () =>
          cancelled ? QUIET : tell(callback),
        );
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
  }
}
