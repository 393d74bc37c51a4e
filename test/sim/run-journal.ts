import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { decide } from '../../src/core/decide.ts';
import { breachesOf } from '../../src/core/invariants.ts';
import type { Json } from '../../src/core/json.ts';
import type { Memory } from '../../src/core/memory.ts';
import type { View } from '../../src/core/view.ts';
import { decode, encode, JOURNAL_FORMAT, patched } from '../../src/telemetry/journal-format.ts';

const DIFFERENCES_SHOWN = 20;

const json = z.json() as z.ZodType<Json>;
const entrySchema = z.object({
  v: z.literal(JOURNAL_FORMAT),
  at: z.string(),
  member: z.string(),
  rule: z.string(),
  name: z.string(),
  why: z.string(),
  actions: json,
  version: z.string(),
  sequence: z.int().positive(),
  view: json.optional(),
  memory: json.optional(),
  viewChanges: json.optional(),
  memoryChanges: json.optional(),
});
type Entry = z.infer<typeof entrySchema>;

/** A decision with all it was made from. */
interface Decided {
  readonly entry: Entry;
  readonly line: number;
  readonly view: View;
  readonly memory: Memory;
}

interface Replay {
  readonly decided: number;
  /** Lines before the first that tells all, or torn by a crash. */
  readonly skipped: number;
  readonly versions: ReadonlySet<string>;
  /** What is decided now and was not then, or breaks a check; each names its line. */
  readonly differences: readonly string[];
}

interface Known {
  readonly sequence: number;
  readonly view: Json;
  readonly memory: Json;
}

/**
 * Puts the journal of an agent together again. Throws on another format; lines that are torn, or
 * that tell changes of a line that is gone, are left out and counted.
 */
class JournalReader {
  skipped = 0;
  #known: Known | undefined;

  read(text: string, line: number): Decided | undefined {
    const entry = this.#parse(text, line);
    const known = entry === undefined ? undefined : this.#complete(entry);
    if (entry === undefined || known === undefined) {
      this.skipped += 1;
      return undefined;
    }
    this.#known = known;
    const view = decode(known.view) as View;
    return { entry, line, view, memory: decode(known.memory) as Memory };
  }

  #parse(text: string, line: number): Entry | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const parsed = entrySchema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new Error(`line ${line} is no entry of format ${JOURNAL_FORMAT}: ${why(parsed.error)}`);
  }

  #complete(entry: Entry): Known | undefined {
    const { sequence, view, memory } = entry;
    if (view !== undefined && memory !== undefined) return { sequence, view, memory };
    const before = this.#known;
    if (before?.sequence !== sequence - 1) return undefined;
    return {
      sequence,
      view: patched(before.view, entry.viewChanges),
      memory: patched(before.memory, entry.memoryChanges),
    };
  }
}

const why = (error: z.ZodError): string => z.prettifyError(error).replaceAll('\n', ' ');

/** Makes every decision of a journal again and compares. */
export function replayJournal(lines: readonly string[]): Replay {
  const reader = new JournalReader();
  const differences: string[] = [];
  const versions = new Set<string>();
  let decided = 0;
  for (const [index, text] of lines.entries()) {
    if (text === '') continue;
    const made = reader.read(text, index + 1);
    if (made === undefined) continue;
    decided += 1;
    versions.add(made.entry.version);
    differences.push(...differencesOf(made));
  }
  return { decided, skipped: reader.skipped, versions, differences };
}

function differencesOf({ entry, line, view, memory }: Decided): readonly string[] {
  const where = `line ${line} (${entry.at}, ${entry.member})`;
  const again = decide(view, memory);
  const differ = (what: string, then: unknown, now: unknown): readonly string[] => {
    const [before, after] = [JSON.stringify(then), JSON.stringify(now)];
    return before === after ? [] : [`${where}: ${what}\n    then: ${before}\n    now:  ${after}`];
  };
  const breaches = breachesOf(view, again).map(
    ({ id, claim, fault }) => `${where}: ${id}, ${claim}: ${fault}`,
  );
  return [
    ...differ('rule', entry.rule, again.rule),
    ...differ('why', entry.why, encode(again.why)),
    ...differ('actions', entry.actions, encode(again.actions)),
    ...breaches,
  ];
}

/** `--journal FILE`: prints what differs. Answers the exit code. */
export function replayFile(path: string, say: (line: string) => void): number {
  let replay: Replay;
  try {
    replay = replayJournal(readFileSync(path, 'utf8').split('\n'));
  } catch (error) {
    say(`Error: ${path}: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  const { decided, skipped, versions, differences } = replay;
  for (const difference of differences.slice(0, DIFFERENCES_SHOWN)) say(difference);
  if (differences.length > DIFFERENCES_SHOWN)
    say(`… and ${differences.length - DIFFERENCES_SHOWN} more`);
  say(
    `${decided} decisions of version ${[...versions].join(', ')} made again, ` +
      `${differences.length} differences, ${skipped} lines left out`,
  );
  return decided > 0 && differences.length === 0 ? 0 : 1;
}
