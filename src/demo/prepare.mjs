// What must be there before any of the TypeScript can run: Node, the dependencies, the build.
// Plain JavaScript on node's own modules, because it runs on a fresh clone.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

const INSTALL_TIMEOUT_MILLIS = 600_000;
const BUILD_TIMEOUT_MILLIS = 300_000;

function requireNode() {
  const wanted = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).engines.node;
  const [major, minor] = wanted.match(/\d+/g).map(Number);
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  throw new Error(
    `pgbaton needs Node ${wanted}, this is ${process.versions.node} (${process.execPath}). ` +
      'Install a current Node and run this again.',
  );
}

/** npm writes this file at the end of an installation; its age says whether the lock file moved on. */
function dependenciesAreCurrent() {
  const installed = join(repository, 'node_modules/.package-lock.json');
  const lock = join(repository, 'package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

function run(title, program, args, timeoutMillis, options = {}) {
  const outcome = spawnSync(program, args, {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: timeoutMillis,
    ...options,
  });
  if (outcome.error !== undefined) throw new Error(`${title}: ${outcome.error.message}`);
  if (outcome.status !== 0) throw new Error(`${title} failed; the lines above say why`);
}

function installDependencies() {
  console.log('- installing the dependencies (npm ci)');
  run(
    'npm ci',
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    INSTALL_TIMEOUT_MILLIS,
  );
}

/** Brings the work tree to the point where `dist` can be run; throws an Error with a message for people. */
export function prepare() {
  requireNode();
  if (!dependenciesAreCurrent()) installDependencies();
  run('the build', process.execPath, ['src/build.mjs'], BUILD_TIMEOUT_MILLIS);
}
