import { failureOf, firstLine, replayCommand } from './run-report.ts';
import type { Ran, Task } from './run-pool.ts';

/** Failures that read the same but for names and figures: most likely one fault. */
export interface Group {
  readonly title: string;
  readonly count: number;
  /** The one with the fewest events: the shortest to read. */
  readonly smallest: { readonly task: Task; readonly events: number; readonly failure: string };
}

const shape = (text: string): string => firstLine(text).replace(/\d+(\.\d+)?/g, '#');

export class Groups {
  readonly #groups = new Map<string, Group>();

  /** Whether the like of it has not been seen before. */
  add(ran: Ran): boolean {
    const failure = failureOf(ran);
    if (failure === undefined) return false;
    const title = shape(failure);
    const events = ran.outcome?.events ?? Number.MAX_SAFE_INTEGER;
    const known = this.#groups.get(title);
    const one = { task: ran.task, events, failure: firstLine(failure) };
    const smallest = known === undefined || events < known.smallest.events ? one : known.smallest;
    this.#groups.set(title, { title, count: (known?.count ?? 0) + 1, smallest });
    return known === undefined;
  }

  /** Most frequent first. */
  all(): readonly Group[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }

  lines(): readonly string[] {
    return this.all().flatMap(({ count, smallest }) => [
      `${count} × ${smallest.failure}`,
      `    shortest: ${replayCommand(smallest.task)}`,
    ]);
  }
}
