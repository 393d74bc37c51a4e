import { statfs } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What the account of this process may still write into the data directory or into pg_wal, which is
 * often on a disk of its own: the smaller of the two, in bytes. Undefined: there is no such directory.
 */
export async function freeBytes(dataDir: string): Promise<number | undefined> {
  try {
    const all = await Promise.all([statfs(dataDir), statfs(join(dataDir, 'pg_wal'))]);
    return Math.min(...all.map(({ bavail, bsize }) => bavail * bsize));
  } catch {
    return undefined;
  }
}
