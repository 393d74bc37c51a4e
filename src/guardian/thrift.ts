import type { Millis } from '../core/time.ts';

/*
 * Keeps the guardian small. V8 touches all of its young generation (2 MB) before it looks for what
 * is left of it, and keeps what a start has needed; what lives here is a few hundred bytes. So it is
 * told when to look: often through the young, which takes 0.1 ms, and rarely through everything,
 * which takes some milliseconds. Source: `--expose-gc` in `node --v8-options`.
 */

/** A heartbeat allocates some 30 KB: this is far less than a young generation. */
const REQUESTS_PER_LOOK = 8;
const LOOKS_PER_THOROUGH_LOOK = 128;
/** A start, or a launch of Postgres, is over by then. */
const WORK_MILLIS: Millis = 1000;

export type Collect = (kind: 'minor' | 'major') => void;

/** Undefined when this Node was not told to offer it: then nothing is done. */
function exposedCollector(): Collect | undefined {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  if (typeof collect !== 'function') return undefined;
  return (kind) => {
    Reflect.apply(collect, undefined, [{ type: kind }]);
  };
}

/** Has the memory looked through when nothing that has to be in time is under way. */
export class Thrift {
  readonly #isAtLeisure: () => boolean;
  readonly #collect: Collect | undefined;
  #requests = 0;
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(isAtLeisure: () => boolean, collect: Collect | undefined = exposedCollector()) {
    this.#isAtLeisure = isAtLeisure;
    this.#collect = collect;
  }

  /** Much is done now that is not done again soon: what is left of it is found in a while. */
  expectWork(): void {
    clearTimeout(this.#timer);
    this.#collect?.('minor');
    this.#timer = setTimeout(() => {
      if (this.#isAtLeisure()) this.#collect?.('major');
      else this.expectWork();
    }, WORK_MILLIS);
    this.#timer.unref();
  }

  /** A request was answered. */
  answered(): void {
    this.#requests += 1;
    if (this.#requests < REQUESTS_PER_LOOK || !this.#isAtLeisure()) return;
    this.#requests = 0;
    this.#looks += 1;
    const thorough = this.#looks >= LOOKS_PER_THOROUGH_LOOK;
    if (thorough) this.#looks = 0;
    this.#collect?.(thorough ? 'major' : 'minor');
  }
}
