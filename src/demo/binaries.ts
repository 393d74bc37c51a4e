import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The work tree, seen from src/demo, from dist/demo and from a compiled copy below .cache alike. */
export const REPOSITORY = repositoryOf(dirname(fileURLToPath(import.meta.url)));

function repositoryOf(folder: string): string {
  if (existsSync(join(folder, 'package.json')) || folder === dirname(folder)) return folder;
  return repositoryOf(dirname(folder));
}

/** Fetched programs live here, outside of version control. */
export const CACHED_BIN = join(REPOSITORY, '.cache/bin');

export type ServerName = 'postgres' | 'haproxy' | 'consul';

/** Where the servers of the demo and of the tests are. */
export interface Binaries {
  readonly consul: string;
  readonly haproxy: string;
  readonly pgBinDir: string;
}

export interface PrometheusBinaries {
  readonly server: string;
  readonly tool: string;
}

const POSTGRES_PROGRAMS = ['postgres', 'initdb', 'pg_basebackup', 'pg_rewind', 'pg_controldata'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function searchPath(environment: NodeJS.ProcessEnv): string[] {
  return (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
}

/** Folders `<parent>/<version><tail>`, the highest version first. */
function versionedFolders(parent: string, pattern: RegExp, tail: string): string[] {
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const version = pattern.exec(name)?.[1];
      return version === undefined ? [] : [{ name, version: Number(version) }];
    })
    .sort((a, b) => b.version - a.version)
    .map(({ name }) => join(parent, name, tail));
}

/** The newest folder that holds all programs of a PostgreSQL server; undefined when there is none. */
function findPostgres(environment: NodeJS.ProcessEnv): string | undefined {
  const told = environment['PGBATON_PG_BIN_DIR'];
  const folders =
    told !== undefined && told !== ''
      ? [told]
      : [
          ...versionedFolders('/usr/lib/postgresql', /^(\d+)$/, 'bin'),
          ...versionedFolders('/usr', /^pgsql-(\d+)$/, 'bin'),
          ...versionedFolders('/opt/homebrew/opt', /^postgresql@(\d+)$/, 'bin'),
          '/usr/local/pgsql/bin',
          ...searchPath(environment),
        ];
  return folders.find((folder) =>
    POSTGRES_PROGRAMS.every((name) => isExecutable(join(folder, name))),
  );
}

const OVERRIDES = {
  haproxy: 'PGBATON_HAPROXY_BIN',
  consul: 'PGBATON_CONSUL_BIN',
  prometheus: 'PGBATON_PROMETHEUS_BIN',
  promtool: 'PGBATON_PROMTOOL_BIN',
} as const;

/** Path of a program: what the environment names, what was fetched, what is installed. */
function findProgram(
  name: keyof typeof OVERRIDES,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const told = environment[OVERRIDES[name]];
  if (told !== undefined && told !== '') return isExecutable(told) ? told : undefined;
  // sbin is not in everybody's PATH.
  const folders = [CACHED_BIN, ...searchPath(environment), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** What is there, without fetching anything; the missing ones are undefined. */
export function findBinaries(environment: NodeJS.ProcessEnv): {
  readonly [Key in keyof Binaries]: string | undefined;
} {
  return {
    consul: findProgram('consul', environment),
    haproxy: findProgram('haproxy', environment),
    pgBinDir: findPostgres(environment),
  };
}

/** Prometheus and the tool that tries its rules; only the tests need them. Undefined: one is missing. */
export function findPrometheus(environment: NodeJS.ProcessEnv): PrometheusBinaries | undefined {
  const server = findProgram('prometheus', environment);
  const tool = findProgram('promtool', environment);
  return server === undefined || tool === undefined ? undefined : { server, tool };
}

/** What the tests need of systemd: the programs of its package; it need not run. */
const SYSTEMD_PROGRAMS = [
  'systemd-analyze',
  'systemd-notify',
  'systemd-socket-activate',
  'systemd-sysusers',
  'systemd-tmpfiles',
];

export const hasSystemdTools = (environment: NodeJS.ProcessEnv): boolean =>
  SYSTEMD_PROGRAMS.every((name) =>
    searchPath(environment).some((folder) => isExecutable(join(folder, name))),
  );

/** Major version by the folder's name, for people: `15` of /usr/lib/postgresql/15/bin. */
export function postgresMajor(pgBinDir: string): string {
  return /(\d+)$/.exec(dirname(pgBinDir))?.[1] ?? '';
}
