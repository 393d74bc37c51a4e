import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from './context.ts';
import { makePrivateDirectory } from './durable-files.ts';

/** sun_path has 108 bytes with its end: unix(7). */
const SOCKET_PATH_BYTES_MAX = 107;

const fits = (directory: string, port: number): boolean =>
  Buffer.byteLength(join(directory, `.s.PGSQL.${port}.lock`)) <= SOCKET_PATH_BYTES_MAX;

async function isOurs(directory: string): Promise<boolean> {
  const status = await lstat(directory);
  return status.isDirectory() && status.uid === process.geteuid?.();
}

/**
 * Where Postgres puts its socket when nothing is configured: a directory that only its own user can
 * enter, made if needed. The name depends on nothing that changes, so that a later agent finds it.
 */
export async function socketDirectories(context: Context): Promise<string> {
  const settings = context.settings();
  if (settings.unixSocketDirectories !== undefined) return settings.unixSocketDirectories;
  const own = join(context.stateDir, 'socket');
  const hash = createHash('sha256').update(settings.dataDir).digest('hex').slice(0, 16);
  const temporary = join(tmpdir(), `pgbaton-${hash}`);
  for (const directory of [own, temporary].filter((path) => fits(path, settings.port))) {
    await makePrivateDirectory(directory);
    if (await isOurs(directory)) return directory;
  }
  return settings.dataDir;
}

/** The directory that this agent itself connects through; undefined when there is none. */
export async function firstSocketDirectory(context: Context): Promise<string | undefined> {
  const first = (await socketDirectories(context)).split(',')[0]?.trim().replace(/^"|"$/g, '');
  return first === undefined || first === '' ? undefined : first;
}
