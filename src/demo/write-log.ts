import type { Millis } from '../core/time.ts';

/** One write that the server acknowledged. */
export interface Acknowledgement {
  readonly id: number;
  /** Monotonic time at which the answer arrived. */
  readonly atMillis: Millis;
}

/** The time around an event in which no write was acknowledged. */
export interface WriteGap {
  readonly fromMillis: Millis;
  readonly toMillis: Millis;
  readonly lengthMillis: Millis;
}

/** Acknowledged writes in the order of their answers. */
export class WriteLog {
  readonly #acknowledged: Acknowledgement[] = [];

  add(id: number, atMillis: Millis): void {
    this.#acknowledged.push({ id, atMillis });
  }

  get count(): number {
    return this.#acknowledged.length;
  }

  at(index: number): Acknowledgement | undefined {
    return this.#acknowledged[index];
  }

  get last(): Acknowledgement | undefined {
    return this.#acknowledged.at(-1);
  }

  /** First answer at or after a moment. */
  firstSince(atMillis: Millis): Acknowledgement | undefined {
    // From the end, because it is asked again and again about the last moments of a long log.
    let index = this.#acknowledged.length;
    while ((this.#acknowledged[index - 1]?.atMillis ?? -Infinity) >= atMillis) index -= 1;
    return this.#acknowledged[index];
  }

  /**
   * The longest pause between two answers of which the later one arrived after `eventMillis` and not
   * after `endMillis`; undefined while no write was acknowledged after the event.
   */
  longestGap(eventMillis: Millis, endMillis: Millis = Infinity): WriteGap | undefined {
    let longest: WriteGap | undefined;
    let before: Acknowledgement | undefined;
    for (const entry of this.#acknowledged) {
      if (entry.atMillis > endMillis) break;
      if (before !== undefined && entry.atMillis > eventMillis) {
        const lengthMillis = entry.atMillis - before.atMillis;
        if (longest === undefined || lengthMillis > longest.lengthMillis) {
          longest = { fromMillis: before.atMillis, toMillis: entry.atMillis, lengthMillis };
        }
      }
      before = entry;
    }
    return longest;
  }

  /** Acknowledged writes that are not among the rows of the table. */
  missing(rows: ReadonlySet<number>): Acknowledgement[] {
    return this.#acknowledged.filter(({ id }) => !rows.has(id));
  }
}
