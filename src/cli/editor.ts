import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import type { Terminal } from './terminal.ts';

const FALLBACK_EDITORS = ['editor', 'vi'];

interface Ended {
  readonly started: boolean;
  readonly code: number | null;
}

function run(command: string, args: readonly string[], terminal: Terminal): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], {
      stdio: 'inherit',
      env: { ...terminal.env },
      shell: false,
    });
    // Ctrl-C belongs to the editor while it runs.
    const unsubscribe = terminal.onInterrupt(() => undefined);
    const end = (ended: Ended): void => {
      unsubscribe();
      resolve(ended);
    };
    child.once('error', () => end({ started: false, code: null }));
    child.once('exit', (code) => end({ started: true, code }));
  });
}

/** `$VISUAL`, `$EDITOR` (both may carry arguments, split at blanks), then the usual ones. */
function editors(env: Terminal['env']): string[][] {
  const chosen = [env['VISUAL'], env['EDITOR']].find((value) => (value ?? '').trim() !== '');
  if (chosen !== undefined) return [chosen.trim().split(/\s+/)];
  return FALLBACK_EDITORS.map((name) => [name]);
}

/** Lets a person edit a text; the file is readable by its owner only and removed afterwards. */
export async function editText(
  text: string,
  name: string,
  terminal: Terminal,
): Promise<Result<string, CliFailure>> {
  const directory = await mkdtemp(join(tmpdir(), 'pgbaton-edit-'));
  const file = join(directory, `${name.replace(/[^\w.-]/g, '_')}.yaml`);
  try {
    await writeFile(file, text, { mode: 0o600 });
    for (const [command = '', ...args] of editors(terminal.env)) {
      const { started, code } = await run(command, [...args, file], terminal);
      if (!started) continue;
      if (code === 0) return { ok: true, value: await readFile(file, 'utf8') };
      const message = `The editor ${command} ended with ${code === null ? 'a signal' : `code ${code}`}.`;
      return failed('aborted', message, 'Nothing was changed.');
    }
    const hint = 'Set EDITOR, or use --set, --pg, --apply or --replace.';
    return failed('usage', 'No editor can be started.', hint);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
