import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunDirectory } from '../../src/demo/run-directory.ts';

const MOUNT_TIMEOUT_MILLIS = 10_000;
const BALLAST = 'ballast-';

/** A small filesystem that can be filled without harm to anybody else. Only root can mount one. */
export function mountSmallDisk(run: RunDirectory, folder: string, megabytes: number): void {
  mkdirSync(folder, { mode: 0o700 });
  const owner =
    run.account === undefined ? '' : `,uid=${run.account.uid},gid=${run.account.gid},mode=700`;
  const { status, stderr } = spawnSync(
    'mount',
    ['-t', 'tmpfs', '-o', `size=${megabytes}m${owner}`, 'tmpfs', folder],
    { encoding: 'utf8', timeout: MOUNT_TIMEOUT_MILLIS },
  );
  if (status !== 0) throw new Error(`mount ${folder}: ${stderr}`);
  run.whenRemoved(() => {
    spawnSync('umount', ['--lazy', folder], { stdio: 'ignore', timeout: MOUNT_TIMEOUT_MILLIS });
  });
}

/** Uses up the filesystem that this folder is on. */
export function fillDisk(folder: string): void {
  const block = Buffer.alloc(1024 * 1024);
  for (let number = 1; ; number += 1) {
    try {
      writeFileSync(join(folder, `${BALLAST}${number}`), block);
    } catch {
      return;
    }
  }
}

export function emptyDisk(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith(BALLAST)) rmSync(join(folder, name), { force: true });
}
