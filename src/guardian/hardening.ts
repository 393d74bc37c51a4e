import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';

/** What could be done so that the guardian runs when nothing else does. */
export interface Hardening {
  /** Before the name of a program: the kernel sends it SIGQUIT when the guardian dies. Empty where impossible. */
  readonly deathSignalPrefix: readonly string[];
  /** For the postmaster's environment: its backends must not inherit the guardian's protection. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: the guardian runs at the priority that it was given. */
  readonly raisedFrom: number | undefined;
  readonly protectedFromMemoryKill: boolean;
}

const OOM_FILE = '/proc/self/oom_score_adj';
/** Short of -1000, which would exempt it altogether even when it is the one that leaks. */
const OOM_SCORE = -900;
const PRIORITY = -10;
const PROBE_TIMEOUT_MILLIS = 2000;

/**
 * The postmaster inherits the protection, its children must not: Postgres resets theirs when told so.
 * Undefined: not protected. Source: PostgreSQL manual, "Linux Memory Overcommit".
 */
function protectFromMemoryKill(): Readonly<Record<string, string>> | undefined {
  try {
    const before = Number(readFileSync(OOM_FILE, 'latin1'));
    try {
      if (before > OOM_SCORE) writeFileSync(OOM_FILE, String(OOM_SCORE));
    } catch (error) {
      // Not permitted, but the service manager may have seen to it.
      if (before >= 0) throw error;
    }
    return { PG_OOM_ADJUST_FILE: OOM_FILE, PG_OOM_ADJUST_VALUE: String(Math.max(0, before)) };
  } catch {
    return undefined;
  }
}

function raisePriority(): number | undefined {
  try {
    const before = getPriority();
    if (before <= PRIORITY) return undefined;
    setPriority(PRIORITY);
    return before;
  } catch {
    return undefined;
  }
}

function findInPath(name: string): string | undefined {
  const folders = ['/usr/bin', '/bin', '/usr/sbin', ...(process.env['PATH'] ?? '').split(':')];
  return folders
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** setpriv(1) of util-linux; other makes of it do not know the option, so it is tried. */
function findDeathSignalPrefix(): Promise<readonly string[]> {
  const setpriv = findInPath('setpriv');
  if (setpriv === undefined) return Promise.resolve([]);
  const prefix = [setpriv, '--pdeathsig', 'QUIT', '--'];
  return new Promise((resolve) => {
    execFile(
      setpriv,
      ['--pdeathsig', 'QUIT', '--', setpriv, '--version'],
      { timeout: PROBE_TIMEOUT_MILLIS, killSignal: 'SIGKILL' },
      (error) => {
        resolve(error === null ? prefix : []);
      },
    );
  });
}

/** Does what the system permits; nothing of it is needed for the guardian to be correct. */
export async function harden(): Promise<Hardening> {
  // Probed first: what runs below would be inherited.
  const deathSignalPrefix = await findDeathSignalPrefix();
  const environment = protectFromMemoryKill();
  return {
    deathSignalPrefix,
    environment: environment ?? {},
    raisedFrom: raisePriority(),
    protectedFromMemoryKill: environment !== undefined,
  };
}
