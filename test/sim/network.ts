import type { Random } from '../../src/ports/clock.ts';
import { QUIET } from '../harness/quiet.ts';
import type { EventQueue } from './events.ts';

/** How slow and lossy messages are just now. */
export interface Weather {
  /** Most messages take up to this, in milliseconds. */
  readonly latencyMillis: number;
  /** Share of messages that take up to `slowMillis` instead. */
  readonly slowShare: number;
  readonly slowMillis: number;
  readonly lossShare: number;
}

export const FAIR: Weather = { latencyMillis: 2, slowShare: 0, slowMillis: 0, lossShare: 0 };

/** Between members: each direction of each pair can be cut on its own. */
export class Network {
  weather: Weather = FAIR;
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #cut = new Map<string, number>();
  #cuts = 0;

  constructor(queue: EventQueue, random: Random) {
    this.#queue = queue;
    this.#random = random;
  }

  /** Cuts overlap: each is healed on its own. */
  cut(from: string, to: string): () => void {
    const way = `${from}>${to}`;
    this.#cut.set(way, (this.#cut.get(way) ?? 0) + 1);
    this.#cuts += 1;
    let healed = false;
    return () => {
      if (healed) return;
      healed = true;
      this.#cuts -= 1;
      this.#cut.set(way, (this.#cut.get(way) ?? 1) - 1);
    };
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts > 0 && (this.#cut.get(`${from}>${to}`) ?? 0) > 0;
  }

  connects(a: string, b: string): boolean {
    return !this.isCut(a, b) && !this.isCut(b, a);
  }

  delay(): number {
    const { latencyMillis, slowShare, slowMillis } = this.weather;
    const slow = slowShare > 0 && this.#random.fraction() < slowShare;
    return 0.2 + this.#random.fraction() * (slow ? slowMillis : latencyMillis);
  }

  /** One message: arrives after a while, or not at all. */
  send(from: string, to: string, arrive: () => unknown): void {
    const lost = this.weather.lossShare > 0 && this.#random.fraction() < this.weather.lossShare;
    if (lost || this.isCut(from, to)) return;
    this.#queue.after(this.delay(), () => (this.isCut(from, to) ? QUIET : arrive()));
  }
}
