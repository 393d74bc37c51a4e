import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';

const NAMING =
  'set PGBATON_USER=postgres (the owner of the data directory), or start the agent as that user';

/**
 * Postgres refuses to run as root, and so does the agent: it becomes the configured user, or the
 * owner of the data directory, or of the directory that it will be made in. Irrevocable.
 */
export function dropPrivileges(dataDir: string, user: string | undefined): Result<void> {
  if (process.getuid?.() !== 0) return done;
  const target = user === undefined ? ownerOf(dataDir) : lookUp(user);
  if (target === undefined || target.uid === 0) {
    const what =
      user === undefined
        ? `${dataDir} belongs to root`
        : `there is no user ${user} other than root`;
    return fail('started-as-root', `the agent was started as root and ${what}`, NAMING);
  }
  try {
    // Known to Node, not to its types: supplementary groups such as the one that may read certificates.
    (process as { initgroups?: (user: number, group: number) => void }).initgroups?.(
      target.uid,
      target.gid,
    );
    process.setgid?.(target.gid);
    process.setuid?.(target.uid);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail('privileges', `root privileges could not be dropped: ${reason}`, NAMING);
  }
  process.env['HOME'] ??= dirname(dataDir);
  return done;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Owner of the nearest directory that exists. */
function ownerOf(path: string): Account | undefined {
  for (let current = path; ; current = dirname(current)) {
    try {
      const { uid, gid } = statSync(current);
      return { uid, gid };
    } catch {
      if (current === dirname(current)) return undefined;
    }
  }
}

function lookUp(user: string): Account | undefined {
  const ask = (flag: string): number =>
    Number(
      execFileSync('id', [flag, '--', user], {
        encoding: 'utf8',
        timeout: 5000,
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  try {
    const account = { uid: ask('-u'), gid: ask('-g') };
    return Number.isInteger(account.uid) && Number.isInteger(account.gid) ? account : undefined;
  } catch {
    return undefined;
  }
}
