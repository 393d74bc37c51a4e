import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { serversIn } from './process-table.ts';

/** As PostgreSQL titles it, after cluster_name where there is one. */
const ARCHIVER = /^postgres: (?:.+: )?archiver(?: |$)/;

export const isArchiver = (title: string): boolean => ARCHIVER.test(title);

/**
 * Whether there is log that the archiver has to archive yet: segments wait as `.ready` in
 * pg_wal/archive_status, and somebody is there to do it. A recovery in single-user mode leaves such files
 * where nothing is ever archived. Where nothing can be read nothing is known to wait.
 */
export async function hasUnarchivedLog(
  dataDir: string,
  isArchiving: () => Promise<boolean> = async () => archiverRuns(dataDir),
): Promise<boolean> {
  const directory = join(dataDir, 'pg_wal', 'archive_status');
  const names = await readdir(directory).catch((): string[] => []);
  return names.some((name) => name.endsWith('.ready')) && (await isArchiving());
}

async function archiverRuns(dataDir: string): Promise<boolean> {
  const directory = await realpath(dataDir).catch(() => dataDir);
  const titles = await Promise.all(
    (await serversIn(directory)).map(async (pid) =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ),
  );
  return titles.some((title) => isArchiver(title.replaceAll('\0', ' ')));
}
