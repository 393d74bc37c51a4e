import { constants } from 'node:fs';
import { access, readdir, realpath } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { PostgresSettings } from '../../core/settings.ts';
import type { Clock } from '../../ports/clock.ts';
import { readIfExists } from './durable-files.ts';
import { toolEnvironment } from './environment.ts';
import { describeOutcome, run, succeeded } from './subprocess.ts';

export type Tool =
  'postgres' | 'initdb' | 'pg_controldata' | 'pg_basebackup' | 'pg_rewind' | 'pg_waldump';

const TOOLS: readonly Tool[] = [
  'postgres',
  'initdb',
  'pg_controldata',
  'pg_basebackup',
  'pg_rewind',
  'pg_waldump',
];

/** The programs of one PostgreSQL installation. */
export interface Installation {
  readonly directory: string;
  readonly majorVersion: number;
  /** As `server_version_num`: 150018. */
  readonly versionNumber: number;
  readonly path: (tool: Tool) => string;
}

export interface Binaries {
  /** The installation that fits the data directory, or the newest when there is none yet. */
  find(): Promise<Result<Installation>>;
}

const VERSION_TIMEOUT_MILLIS = 10_000;
const OLDEST_SUPPORTED_MAJOR = 13;

/** `postgres (PostgreSQL) 15.18 (Debian …)` or `18beta1`: 150018, 180000. */
export function parseVersion(text: string): number | undefined {
  const match = /PostgreSQL\) (\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? undefined : Number(match[1]) * 10_000 + Number(match[2] ?? 0);
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Directories of Debian's and the PGDG's packages, newest first. */
async function packagedDirectories(): Promise<readonly string[]> {
  const debian = await readdir('/usr/lib/postgresql').catch(() => []);
  const redHat = await readdir('/usr').catch(() => []);
  const found = [
    ...debian.map((entry) => ({ major: Number(entry), path: `/usr/lib/postgresql/${entry}/bin` })),
    ...redHat.flatMap((entry) => {
      const match = /^pgsql-(\d+)$/.exec(entry);
      return match === null ? [] : [{ major: Number(match[1]), path: `/usr/${entry}/bin` }];
    }),
  ];
  return found
    .filter((entry) => Number.isFinite(entry.major))
    .sort((a, b) => b.major - a.major)
    .map((entry) => entry.path);
}

async function candidateDirectories(settings: PostgresSettings): Promise<readonly string[]> {
  if (settings.binDir !== undefined) return [settings.binDir];
  const searchPath = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '');
  return [...searchPath, ...(await packagedDirectories())];
}

function notFound(
  wantedMajor: number | undefined,
  seen: readonly string[],
  binDir: string | undefined,
): Result<never> {
  const wanted = wantedMajor ?? `${OLDEST_SUPPORTED_MAJOR} or newer`;
  const message =
    `no postgres program of version ${wanted} found` +
    (binDir === undefined ? '' : ` in postgresql.bin_dir ${binDir}`) +
    (seen.length === 0 ? '' : ` (${seen.join(', ')})`);
  return fail(
    'postgres-binary-missing',
    message,
    wantedMajor === undefined
      ? 'Install PostgreSQL (Debian: postgresql-15, Red Hat: postgresql15-server), or set postgresql.bin_dir.'
      : `The data directory is of version ${wantedMajor}: install that server (Debian: postgresql-${wantedMajor}), or set postgresql.bin_dir.`,
  );
}

/** Finds the programs once per data directory version and keeps the answer. */
export function createBinaries(clock: Clock, settings: () => PostgresSettings): Binaries {
  const versions = new Map<string, number>();
  let known: { readonly key: string; readonly installation: Installation } | undefined;

  async function versionOf(executable: string): Promise<Result<number>> {
    const cached = versions.get(executable);
    if (cached !== undefined) return ok(cached);
    const outcome = await run(clock, {
      executable,
      args: ['--version'],
      env: toolEnvironment(),
      timeoutMillis: VERSION_TIMEOUT_MILLIS,
    });
    const version = succeeded(outcome) ? parseVersion(outcome.stdout) : undefined;
    if (version === undefined) {
      return fail(
        'postgres-binary-broken',
        describeOutcome(`${executable} --version`, outcome),
        'Run the command by hand and repair the installation.',
      );
    }
    versions.set(executable, version);
    return ok(version);
  }

  async function search(wantedMajor: number | undefined): Promise<Result<Installation>> {
    const now = settings();
    const nameOf = (tool: Tool): string => now.binNames[tool] ?? tool;
    const seen: string[] = [];
    let incomplete: Installation | undefined;
    for (const directory of await candidateDirectories(now)) {
      const executable = resolve(directory, nameOf('postgres'));
      if (!(await isExecutable(executable))) continue;
      const version = await versionOf(executable);
      if (!version.ok) return version;
      const majorVersion = Math.floor(version.value / 10_000);
      seen.push(`${executable} is ${majorVersion}`);
      if (wantedMajor !== undefined && majorVersion !== wantedMajor) continue;
      if (majorVersion < OLDEST_SUPPORTED_MAJOR) continue;
      // A link to the server alone: the other programs are where it leads.
      const real = dirname(await realpath(executable));
      for (const place of new Set([directory, real])) {
        const path = (tool: Tool): string => resolve(place, nameOf(tool));
        const found = { directory: place, majorVersion, versionNumber: version.value, path };
        if (await isExecutable(path('pg_controldata'))) return ok(found);
        incomplete ??= found;
      }
    }
    return incomplete === undefined ? notFound(wantedMajor, seen, now.binDir) : ok(incomplete);
  }

  return {
    async find() {
      const now = settings();
      const text = await readIfExists(join(now.dataDir, 'PG_VERSION')).catch(() => undefined);
      const major = text === undefined ? undefined : Number.parseInt(text, 10);
      const wanted = major === undefined || Number.isNaN(major) ? undefined : major;
      const key = JSON.stringify([now.binDir, now.binNames, wanted]);
      if (known?.key === key) return ok(known.installation);
      const found = await search(wanted);
      if (found.ok) known = { key, installation: found.value };
      return found;
    },
  };
}

/** The programs that are missing from an installation. */
export async function missingTools(installation: Installation): Promise<readonly Tool[]> {
  const present = await Promise.all(TOOLS.map((tool) => isExecutable(installation.path(tool))));
  return TOOLS.filter((_, index) => present[index] === false);
}
