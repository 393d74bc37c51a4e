import { readdir } from 'node:fs/promises';

/** Where the packages of Debian and of the PostgreSQL project put the server's programs, newest first. */
export async function listPackagedBinaries(): Promise<readonly string[]> {
  const debian = await entriesOf('/usr/lib/postgresql');
  const redHat = await entriesOf('/usr');
  const found = [
    ...debian.map((entry) => ({ major: Number(entry), path: `/usr/lib/postgresql/${entry}/bin` })),
    ...redHat.map((entry) => ({
      major: Number(/^pgsql-(\d+)$/.exec(entry)?.[1] ?? Number.NaN),
      path: `/usr/${entry}/bin`,
    })),
  ];
  return found
    .filter(({ major }) => Number.isFinite(major))
    .sort((a, b) => b.major - a.major)
    .map(({ path }) => path);
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch {
    return [];
  }
}
