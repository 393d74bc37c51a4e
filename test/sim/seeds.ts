import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { FAULTS } from './faults.ts';
import type { FaultKind } from './faults.ts';
import type { Task } from './run-pool.ts';

/** A seed worth keeping, with what was not left to it. */
export interface KeptSeed extends Task {
  readonly note: string;
}

export interface SeedBook {
  /** Have failed once and are understood: always run, and must pass. */
  readonly regressions: readonly KeptSeed[];
  /** Fail, and nobody knows why yet: run, and expected to fail. */
  readonly open: readonly KeptSeed[];
}

const kept = z.strictObject({
  seed: z.int().min(0),
  faults: z.array(z.enum(FAULTS as readonly [FaultKind, ...FaultKind[]])).optional(),
  members: z.int().min(1).optional(),
  note: z.string().min(1),
});
const book = z.strictObject({ regressions: z.array(kept), open: z.array(kept) });

/** Throws with the path where the file is not what it should be. */
export function readSeedBook(path: string): SeedBook {
  const parsed = book.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
}

const sameTask = (a: Task, b: Task): boolean =>
  a.seed === b.seed && a.members === b.members && String(a.faults) === String(b.faults);

/**
 * Takes up what has failed and is not there yet as open, and what was open and has passed as
 * regressions. Answers how many of each. The file is replaced whole.
 */
export function saveSeeds(
  path: string,
  failed: readonly KeptSeed[],
  passed: readonly KeptSeed[],
): { readonly opened: number; readonly closed: number } {
  const known = readSeedBook(path);
  const isOneOf = (seeds: readonly Task[], seed: Task): boolean =>
    seeds.some((other) => sameTask(seed, other));
  const fresh = failed.filter((seed) => !isOneOf([...known.regressions, ...known.open], seed));
  const closed = known.open.filter((seed) => isOneOf(passed, seed));
  const book: SeedBook = {
    regressions: [...known.regressions, ...closed],
    open: [...known.open.filter((seed) => !isOneOf(closed, seed)), ...fresh],
  };
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(book, undefined, 2)}\n`);
  renameSync(temporary, path);
  return { opened: fresh.length, closed: closed.length };
}
