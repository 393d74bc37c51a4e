import { QUIET } from '../harness/quiet.ts';

/**
 * Everything that happens in the simulated world, in order of (time, sequence). Time is the world's
 * own, in milliseconds; every host sees it through a clock of its own.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => unknown;
  /** Its place in the heap; -1: it is not waiting any more. */
  place: number;
}

export class EventQueue {
  #now = 0;
  #order = 0;
  #run = 0;
  readonly #heap: Entry[] = [];
  /** Called after every event once all promises have settled. */
  readonly #afterEach: () => void;

  constructor(afterEach: () => void) {
    this.#afterEach = afterEach;
  }

  get now(): number {
    return this.#now;
  }

  /** Events run so far. */
  get count(): number {
    return this.#run;
  }

  /** Runs once, `delay` from now; the answer cancels it. `run` may answer QUIET. */
  after(delay: number, run: () => unknown): () => void {
    this.#order += 1;
    const entry: Entry = { at: this.#now + Math.max(0, delay), order: this.#order, run, place: -1 };
    this.#rise(entry, this.#heap.length);
    return () => {
      if (entry.place >= 0) this.#remove(entry);
    };
  }

  /** Runs all events up to `end`, or until `stop` says so; promises settle after each. */
  runUntil(end: number, stop: () => boolean): Promise<void> {
    let unsettled = false;
    const over = (): boolean => {
      this.#afterEach();
      return stop();
    };
    return settling(() => {
      if (unsettled && over()) return false;
      for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
        unsettled = next() !== QUIET;
        if (unsettled) return true;
        if (over()) return false;
      }
      return false;
    });
  }

  /** What comes next; undefined: nothing until then. */
  #next(end: number): (() => unknown) | undefined {
    const next = this.#heap[0];
    if (next === undefined || next.at > end) {
      this.#now = Math.max(this.#now, end);
      return undefined;
    }
    this.#remove(next);
    this.#now = Math.max(this.#now, next.at);
    this.#run += 1;
    return next.run;
  }

  /** The last one takes its place, and sinks or rises from there. */
  #remove(entry: Entry): void {
    const { place } = entry;
    entry.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    const above = this.#heap[(place - 1) >> 1];
    if (place > 0 && above !== undefined && before(last, above)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #rise(entry: Entry, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, entry)) break;
      heap[at] = parent;
      parent.place = at;
      at = above;
    }
    heap[at] = entry;
    entry.place = at;
  }

  #sink(entry: Entry, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const child = right !== undefined && before(right, left) ? right : left;
      if (before(entry, child)) break;
      const below = child.place;
      heap[at] = child;
      child.place = at;
      at = below;
    }
    heap[at] = entry;
    entry.place = at;
  }
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

const NOW = Promise.resolve();

/**
 * Runs the step, and again each time when all promises have settled, for as long as it answers true.
 * A tick runs when the microtask queue is empty, but one that a tick asks for runs before the queue
 * is looked at again: so the step runs in a microtask. An async function that awaits a tick does the
 * same at twice the cost.
 */
function settling(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const proceed = (): void => {
      try {
        if (step()) process.nextTick(tick);
        // Whatever else this process does gets its turn.
        else setImmediate(resolve);
      } catch (error) {
        reject(error);
      }
    };
    const tick = (): void => {
      void NOW.then(proceed);
    };
    tick();
  });
}
