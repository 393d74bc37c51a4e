// Compiles src to dist, only when a source is newer than the last build, and makes the bins executable.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist/.built');

function newestMillis(directory) {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMillis(path) : statSync(path).mtimeMs);
  }
  return newest;
}

const sources = Math.max(
  newestMillis(join(root, 'src')),
  statSync(join(root, 'tsconfig.json')).mtimeMs,
);
if (!existsSync(stamp) || statSync(stamp).mtimeMs < sources) {
  const fresh = join(root, '.cache', `build-${process.pid}`);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const built = spawnSync(
    process.execPath,
    [tsc, '-p', join(root, 'src/tsconfig.build.json'), '--outDir', fresh],
    {
      stdio: 'inherit',
      cwd: root,
    },
  );
  if (built.status !== 0) process.exit(built.status ?? 1);
  // Swapped in whole: whoever starts an agent meanwhile sees the old build or the new one.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  renameSync(fresh, join(root, 'dist'));
  for (const bin of ['cli.js', 'main.js']) {
    if (existsSync(join(root, 'dist', bin))) chmodSync(join(root, 'dist', bin), 0o755);
  }
  writeFileSync(stamp, '');
}
