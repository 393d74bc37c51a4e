import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Whether there is log that the archiver has to archive yet: segments wait as `.ready` in
 * pg_wal/archive_status. Where that cannot be read nothing is known to wait.
 */
export async function hasUnarchivedLog(dataDir: string): Promise<boolean> {
  const directory = join(dataDir, 'pg_wal', 'archive_status');
  const names = await readdir(directory).catch((): string[] => []);
  return names.some((name) => name.endsWith('.ready'));
}
