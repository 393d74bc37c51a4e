import { failureOf, firstLine, replayCommand } from './run-report.ts';
import type { Ran, Task } from './run-pool.ts';

/** Failures that read the same but for names and figures: most likely one fault. */
export interface Group {
  readonly title: string;
  readonly count: number;
  /** The one with the fewest events: the shortest to read. */
  readonly smallest: { readonly task: Task; readonly events: number; readonly failure: string };
}

const shape = (text: string): string =>
  firstLine(text)
    .replace(/\b[0-9A-F]+\/[0-9A-F]+\b/g, '#/#')
    .replace(/\d+(\.\d+)?/g, '#');

/** What holds the members, of a cluster that does not get well: each by its rule and its reason. */
function standstill({ outcome }: Ran): readonly string[] {
  const held = outcome?.state.flatMap((line) => {
    const [, rule, why] = /^\s+(R\d+) .*? ms: (.*) \|/.exec(line) ?? [];
    return rule === undefined ? [] : [`${rule} ${shape(why ?? '')}`];
  });
  return [...new Set(held)].sort();
}

export class Groups {
  readonly #groups = new Map<string, Group>();

  /** Whether the like of it has not been seen before. */
  add(ran: Ran): boolean {
    const failure = failureOf(ran);
    if (failure === undefined) return false;
    const held = failure.startsWith('L') ? standstill(ran) : [];
    const title = [shape(failure), ...held].join('\n      ');
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
    return this.all().flatMap(({ title, count, smallest }) => [
      `${count} × ${smallest.failure}`,
      ...title
        .split('\n')
        .slice(1)
        .map((line) => line.trimEnd()),
      `    shortest: ${replayCommand(smallest.task)}`,
    ]);
  }
}
