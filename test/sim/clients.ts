import type { Machine, Scene } from './model.ts';
import { isPartOf } from './wal.ts';
import type { Position } from './wal.ts';

const WRITE_EVERY_MILLIS = 100;

interface Acknowledged {
  readonly host: string;
  readonly at: number;
  readonly position: Position;
}

/** Clients that write to whatever accepts writes, on every host, and keep what was acknowledged. */
export class Clients {
  readonly #world: Scene;
  readonly #acknowledged: Acknowledged[] = [];
  /** Longest time without any acknowledged write so far, and when it began. */
  #lastAt: number | undefined;

  constructor(world: Scene) {
    this.#world = world;
  }

  get count(): number {
    return this.#acknowledged.length;
  }

  get lastAt(): number | undefined {
    return this.#lastAt;
  }

  start(): void {
    for (const host of this.#world.hosts) this.#write(host);
    this.#world.queue.after(WRITE_EVERY_MILLIS * (0.5 + this.#world.chance()), () => {
      this.start();
    });
  }

  #write(host: Machine): void {
    if (!host.postgres.writable) return;
    const position = host.postgres.write(64 + Math.floor(this.#world.chance() * 200));
    this.#lastAt = this.#world.now;
    this.#acknowledged.push({ host: host.name, at: this.#world.now, position });
  }

  /** Acknowledged and not in this log: what asynchronous replication has lost. */
  lostIn(log: Position): readonly Acknowledged[] {
    return this.#acknowledged.filter(({ position }) => !isPartOf(position, log));
  }
}
