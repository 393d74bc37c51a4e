import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { REPOSITORY } from './binaries.ts';
import type { RunDirectory } from './run-directory.ts';

/** How an agent is started. */
export interface AgentProgram {
  readonly node: string;
  /** What comes before the configuration file: dist/main.js. */
  readonly args: readonly string[];
}

const CHECK_TIMEOUT_MILLIS = 10_000;

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly link?: boolean }>>;
}

/**
 * The built agent, at a place that the Postgres account can read. A clone below /root, or a node
 * below /root/.nvm, is closed to it: then the program, its dependencies and node are copied.
 */
export function agentProgram(run: RunDirectory): AgentProgram {
  const entry = join(REPOSITORY, 'dist/main.js');
  const here: AgentProgram = { node: process.execPath, args: [entry] };
  if (run.account === undefined) return here;
  const check = spawnSync(
    here.node,
    ['-e', 'require("node:fs").readFileSync(process.argv[1])', entry],
    {
      uid: run.account.uid,
      gid: run.account.gid,
      cwd: '/',
      stdio: 'ignore',
      timeout: CHECK_TIMEOUT_MILLIS,
    },
  );
  if (check.status === 0) return here;
  const copy = join(run.path, 'program');
  mkdirSync(copy);
  const node = join(copy, 'node');
  copyFileSync(process.execPath, node);
  const lock = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')) as LockFile;
  const packages = Object.entries(lock.packages)
    .filter(([path, entry]) => path.startsWith('node_modules/') && entry.dev !== true)
    .map(([path]) => path);
  for (const path of ['dist', 'package.json', ...packages]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(REPOSITORY, path), join(copy, path), { recursive: true });
  }
  return { node, args: [join(copy, 'dist/main.js')] };
}
