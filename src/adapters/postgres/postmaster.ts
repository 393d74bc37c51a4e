import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { parsePostmasterPid } from '../../wire/postgres/postmaster-pid.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { readIfExists, removeDurably } from './durable-files.ts';
import { isLiveServer, serversIn } from './process-table.ts';

/** The postmaster named in postmaster.pid, when that process is a PostgreSQL of this very directory. */
async function findPostmaster(dataDir: string): Promise<number | undefined> {
  const text = await readIfExists(join(dataDir, 'postmaster.pid')).catch(() => undefined);
  const file = text === undefined ? undefined : parsePostmasterPid(text);
  if (file === undefined) return undefined;
  const directory = await realpath(dataDir).catch(() => dataDir);
  return (await isLiveServer(file.pid, directory)) ? file.pid : undefined;
}

/** Sends a signal that asks for something (reload, promotion), never one that ends. */
export async function signalPostmaster(
  dataDir: string,
  signal: 'SIGHUP' | 'SIGUSR1',
): Promise<Result<void>> {
  const pid = await findPostmaster(dataDir);
  if (pid === undefined) {
    return fail('postgres-not-running', `no postmaster of ${dataDir} is running`);
  }
  try {
    process.kill(pid, signal);
    return done;
  } catch (error) {
    return fail('postgres-signal-failed', `${signal} to postmaster ${pid}: ${messageOf(error)}`);
  }
}

/** Everything that changes files of a server that is down asks here first. */
export async function requireDown(context: Context): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const directory = await realpath(dataDir).catch(() => dataDir);
  const alive = await serversIn(directory);
  if (alive.length === 0) return done;
  return fail(
    'postgres-still-running',
    `processes ${alive.slice(0, 5).join(', ')} of PostgreSQL still work in ${dataDir}`,
    'Wait for the server to stop, or fence it.',
  );
}

/**
 * Removes a postmaster.pid that a kill left behind. PostgreSQL itself would refuse to start when
 * the pid in it meanwhile belongs to another process of the same user, as happens in containers.
 * Only after `requireDown`: the file also protects the shared memory that orphans still use.
 */
export async function removeStalePidFile(dataDir: string): Promise<boolean> {
  const path = join(dataDir, 'postmaster.pid');
  if ((await readIfExists(path)) === undefined) return false;
  await removeDurably(path);
  return true;
}
