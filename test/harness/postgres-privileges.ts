import { describe } from 'vitest';
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** What stays root when the tests have become the user postgres: it mounts small filesystems, and unmounts them at its end. */
export interface RootHelper {
  readonly available: boolean;
  /** Mounts a tmpfs of that size on an existing directory, owned by postgres. */
  mountTmpfs(directory: string, megabytes: number): Promise<void>;
  unmount(directory: string): Promise<void>;
  close(): void;
}

const SCRIPT = `
mounts=""
cleanup() { for m in $mounts; do umount -l "$m" 2>/dev/null; done; }
while read -r verb directory size; do
  case "$verb" in
    mount) mount -t tmpfs -o "size=\${size}m,mode=700,uid=$1,gid=$2" tmpfs "$directory" && mounts="$directory $mounts"; echo "answer $?" ;;
    unmount) umount -l "$directory"; echo "answer $?" ;;
  esac
done
cleanup
`;

class Shell implements RootHelper {
  readonly available = true;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  constructor(uid: number, gid: number) {
    this.#child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', String(uid), String(gid)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A group of its own: it outlives an interrupted test run long enough to unmount.
      detached: true,
    });
    this.#lines = createInterface({ input: this.#child.stdout });
  }

  async #ask(line: string): Promise<void> {
    const answer = new Promise<string>((resolve) => {
      this.#lines.once('line', resolve);
    });
    this.#child.stdin.write(`${line}\n`);
    if ((await answer) !== 'answer 0') throw new Error(`failed: ${line}`);
  }

  mountTmpfs(directory: string, megabytes: number): Promise<void> {
    return this.#ask(`mount ${directory} ${megabytes}`);
  }

  unmount(directory: string): Promise<void> {
    return this.#ask(`unmount ${directory}`);
  }

  close(): void {
    this.#child.stdin.end();
    this.#lines.close();
  }
}

const UNAVAILABLE: RootHelper = {
  available: false,
  mountTmpfs: () => Promise.reject(new Error('mounting needs root')),
  unmount: () => Promise.reject(new Error('mounting needs root')),
  close: () => undefined,
};

/**
 * PostgreSQL refuses root. Where the tests run as root, this worker process becomes the user
 * postgres for the rest of its life.
 */
export function becomePostgresUser(ids: {
  readonly uid: number;
  readonly gid: number;
}): RootHelper {
  const { setgid, setuid, setgroups } = process;
  if (process.getuid?.() !== 0 || setgid === undefined || setuid === undefined) return UNAVAILABLE;
  const helper = new Shell(ids.uid, ids.gid);
  setgroups?.([ids.gid]);
  setgid(ids.gid);
  setuid(ids.uid);
  process.env['HOME'] = '/tmp';
  return helper;
}

/** Tests that need a small filesystem of their own. Without root they are left out, and that is said. */
export function describeMounting(root: RootHelper, title: string, body: () => void): void {
  if (!root.available) console.warn(`not run: "${title}": mounting a filesystem needs root`);
  const register = root.available ? describe : describe.skip;
  register(title, body);
}
