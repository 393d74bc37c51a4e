import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { PostgresSettings } from '../core/settings.ts';
import { listPackagedBinaries } from './packaged-binaries.ts';
import type { ConfigProblem } from './problem.ts';

/*
 * What a configuration promises about this host: programs, directories, ports. Each answers with
 * problems and changes nothing.
 */

const OLDEST_MAJOR = 13;
const VERSION_TIMEOUT_MILLIS = 5000;
const TOOLS = [
  'postgres',
  'initdb',
  'pg_controldata',
  'pg_basebackup',
  'pg_rewind',
  'pg_waldump',
] as const;

/** Programs of PostgreSQL that are missing, too old, or of another version than the data directory. */
export async function checkPostgres(
  settings: PostgresSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly ConfigProblem[]> {
  const data = await inspectDataDir(settings.dataDir);
  const found = await findTools(settings, environment);
  if (found.directory === undefined)
    return [...data.problems, noBinaries(settings, found.packaged)];
  const missing = found.missing.map((tool) => missingTool(found.directory ?? '', tool));
  const major = await askMajor(found.postgres);
  const version = major === undefined ? [] : checkMajor(major, data.major, found.packaged);
  return [...data.problems, ...missing, ...version];
}

/** A port that cannot be bound, by another process or for want of a right. */
export async function checkPort(
  key: string,
  host: string,
  port: number,
): Promise<readonly ConfigProblem[]> {
  const code = await tryListen(host, port);
  if (code === undefined) return [];
  const known: Readonly<Record<string, readonly [message: string, suggestion: string]>> = {
    EADDRINUSE: [
      `port ${port} of ${host} is in use`,
      'stop what uses it or choose another port; while pgbaton runs, validate with --no-network',
    ],
    EADDRNOTAVAIL: [
      `${host} is no address of this host`,
      'listen on 0.0.0.0 or on its own address',
    ],
    EACCES: [`this user may not listen on port ${port}`, 'choose a port above 1023'],
    ENOTFOUND: [`${host} is no known host name`, 'write the address'],
  };
  const [message, suggestion] = known[code] ?? [`${host}:${port} cannot be bound (${code})`, ''];
  return [problem(key, message, suggestion)];
}

/** A file that the configuration names and that this user cannot read. */
export async function checkReadable(
  key: string,
  path: string | undefined,
): Promise<readonly ConfigProblem[]> {
  if (path === undefined || (await isAllowed(path, constants.R_OK))) return [];
  const message = `${path} is not there, or this user may not read it`;
  return [problem(key, message, 'check the path, its owner and its permissions')];
}

/** Whether others than the owner may read a file. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  try {
    return ((await stat(path)).mode & 0o004) !== 0;
  } catch {
    return false;
  }
}

interface FoundTools {
  /** Undefined: there is no postgres anywhere. */
  readonly directory: string | undefined;
  readonly postgres: string;
  readonly missing: readonly string[];
  readonly packaged: readonly string[];
}

async function findTools(
  { binDir, binNames }: PostgresSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<FoundTools> {
  const packaged = await listPackagedBinaries();
  const path = (environment['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '');
  const directories = binDir === undefined ? [...path, ...packaged] : [binDir];
  const fileOf = (directory: string, tool: string): string =>
    resolve(directory, binNames[tool] ?? tool);
  for (const directory of directories) {
    const postgres = fileOf(directory, 'postgres');
    if (!(await isAllowed(postgres, constants.X_OK))) continue;
    const missing: string[] = [];
    for (const tool of TOOLS) {
      if (!(await isAllowed(fileOf(directory, tool), constants.X_OK))) missing.push(tool);
    }
    return { directory, postgres, missing, packaged };
  }
  return { directory: undefined, postgres: '', missing: [], packaged };
}

function noBinaries({ binDir }: PostgresSettings, packaged: readonly string[]): ConfigProblem {
  const where = binDir === undefined ? 'in PATH' : `in ${binDir}`;
  const [first] = packaged;
  const suggestion =
    first === undefined ? 'install PostgreSQL 13 or newer' : `set postgresql.bin_dir: ${first}`;
  return problem('postgresql.bin_dir', `there is no postgres ${where}`, suggestion);
}

const missingTool = (directory: string, tool: string): ConfigProblem =>
  problem(
    'postgresql.bin_dir',
    `there is no ${tool} in ${directory}`,
    'install the server package of PostgreSQL, not only its client',
  );

function askMajor(postgres: string): Promise<number | undefined> {
  const options = {
    timeout: VERSION_TIMEOUT_MILLIS,
    maxBuffer: 64 * 1024,
    encoding: 'utf8',
  } as const;
  return new Promise((settle) => {
    execFile(postgres, ['--version'], options, (_error, stdout) => {
      const match = /PostgreSQL\) (\d+)/.exec(stdout);
      settle(match === null ? undefined : Number(match[1]));
    });
  });
}

function checkMajor(
  binaries: number,
  data: number | undefined,
  packaged: readonly string[],
): readonly ConfigProblem[] {
  if (binaries < OLDEST_MAJOR) {
    const message = `the binaries are of PostgreSQL ${binaries}`;
    return [problem('postgresql.bin_dir', message, `use PostgreSQL ${OLDEST_MAJOR} or newer`)];
  }
  if (data === undefined || data === binaries) return [];
  const fitting = packaged.find(
    (directory) => directory.includes(`/${data}/`) || directory.includes(`-${data}/`),
  );
  const message = `the binaries are of PostgreSQL ${binaries}, the data directory of ${data}`;
  const suggestion = `set it to the binaries of PostgreSQL ${data}${fitting === undefined ? '' : `: ${fitting}`}`;
  return [problem('postgresql.bin_dir', message, suggestion)];
}

async function inspectDataDir(
  dataDir: string,
): Promise<{ readonly major: number | undefined; readonly problems: readonly ConfigProblem[] }> {
  try {
    const entries = await readdir(dataDir);
    if (entries.includes('PG_VERSION')) {
      const major = Number.parseInt(await readFile(join(dataDir, 'PG_VERSION'), 'utf8'), 10);
      return { major, problems: [] };
    }
    if (entries.length === 0) return { major: undefined, problems: [] };
    const message = `${dataDir} holds something that is no data directory of PostgreSQL`;
    const suggestion = 'name another directory; pgbaton does not touch this one';
    return { major: undefined, problems: [problem(DATA_DIR, message, suggestion)] };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT') return { major: undefined, problems: await checkParent(dataDir) };
    const message = `${dataDir} cannot be read (${code})`;
    const suggestion = 'run as the user that PostgreSQL runs as, and check the owner';
    return { major: undefined, problems: [problem(DATA_DIR, message, suggestion)] };
  }
}

/** The nearest directory that exists must let this user create the rest. */
async function checkParent(dataDir: string): Promise<readonly ConfigProblem[]> {
  let parent = dirname(resolve(dataDir));
  while (!(await isAllowed(parent, constants.F_OK)) && dirname(parent) !== parent) {
    parent = dirname(parent);
  }
  if (await isAllowed(parent, constants.W_OK)) return [];
  const message = `${dataDir} is not there, and this user may not create it in ${parent}`;
  return [
    problem(DATA_DIR, message, 'create its parent, owned by the user that PostgreSQL runs as'),
  ];
}

const DATA_DIR = 'postgresql.data_dir';

function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', (error) => {
      settle('code' in error ? String(error.code) : 'unknown');
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        settle(undefined);
      });
    });
  });
}

async function isAllowed(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}

function problem(key: string, message: string, suggestion: string): ConfigProblem {
  const found = { code: 'config-environment', origin: undefined, key, message } as const;
  return suggestion === '' ? found : { ...found, suggestion };
}
