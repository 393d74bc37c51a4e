import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = new URL('../..', import.meta.url).pathname;

/** Files that are or are about to be under version control, by their path in the repository. */
export function listFiles(pattern: RegExp): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 10_000_000,
  });
  return listed
    .split('\n')
    .filter((path) => pattern.test(path))
    .filter((path) => readFile(path) !== undefined);
}

/** Undefined: not there (deleted and not committed yet). */
export function readFile(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** The text of a file that must be there. */
export function contents(path: string): string {
  const text = readFile(path);
  if (text === undefined) throw new Error(`${path} does not exist`);
  return text;
}
