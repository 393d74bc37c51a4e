import { QUIET } from '../harness/quiet.ts';

/**
 * Everything that happens in the simulated world, in order of (time, sequence). Time is the world's
 * own, in milliseconds; every host sees it through a clock of its own.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  run: (() => unknown) | undefined;
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
    const entry: Entry = { at: this.#now + Math.max(0, delay), order: this.#order, run };
    this.#push(entry);
    return () => {
      entry.run = undefined;
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
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      if (next.run === undefined) continue;
      this.#now = Math.max(this.#now, next.at);
      this.#run += 1;
      return next.run;
    }
    this.#now = Math.max(this.#now, end);
    return undefined;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, entry)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const useRight = right !== undefined && before(right, left);
      const child = useRight ? right : left;
      if (before(last, child)) break;
      heap[at] = child;
      at = 2 * at + (useRight ? 2 : 1);
    }
    heap[at] = last;
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
