import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../src/guardian/procfs.ts';
import type { LaunchCommand } from '../../src/ports/postgres.ts';
import { identify, until } from './guardian-program.ts';

/*
 * A server in the shape of Postgres and as quick as a shell: a parent and children whose program is
 * named "postgres", each child in a session of its own, with the data directory as their working
 * directory. Fast stop ends it in order, immediate stop at once; orphaned children go on, as
 * backends do that are at work.
 */
const POSTMASTER = `
cd "$DATA" || exit 3
mkfifo "$DATA/never.$$"
exec 8<>"$DATA/never.$$"
children=""
for i in $(seq "$CHILDREN"); do
  setsid "$SELF" "$DATA/../backend.sh" &
  children="$children $!"
done
stop() { kill -TERM $children 2>/dev/null; wait; exit "$1"; }
trap 'stop 0' INT
trap 'stop 2' QUIT
echo $$ > "$DATA/postmaster.pid"
echo "server log: ready"
while :; do read -r -t 1 line <&8; done
`;
const BACKEND = `
trap 'exit 0' TERM
trap '' INT QUIT HUP
mkfifo "$DATA/never.$$"
exec 9<>"$DATA/never.$$"
echo $$ >> "$DATA/backends"
while :; do read -r -t 1 line <&9; done
`;

export interface FakeServer {
  readonly dataDir: string;
  readonly runDir: string;
  readonly command: LaunchCommand;
  /** Once it has started: the parent first, then its children. */
  processes(): Promise<readonly ProcessIdentity[]>;
}

/** Lays out a server below a directory; starts nothing. */
export function layOutFakeServer(root: string, children = 3): FakeServer {
  const dataDir = join(root, 'data');
  const runDir = join(root, 'run');
  mkdirSync(dataDir, { recursive: true });
  mkdirSync(join(root, 'bin'), { recursive: true });
  const self = join(root, 'bin', 'postgres');
  if (!existsSync(self)) copyFileSync('/bin/bash', self);
  writeFileSync(join(root, 'postmaster.sh'), POSTMASTER);
  writeFileSync(join(root, 'backend.sh'), BACKEND);
  return {
    dataDir,
    runDir,
    command: {
      executable: self,
      args: [join(root, 'postmaster.sh')],
      env: { DATA: dataDir, SELF: self, CHILDREN: String(children) },
      dataDir,
      logFile: join(root, 'server.log'),
    },
    processes: async () => {
      const read = (name: string): number[] => {
        const path = join(dataDir, name);
        const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
        return lines.filter((line) => line !== '').map(Number);
      };
      await until('the fake server has started', () => {
        return read('postmaster.pid').length === 1 && read('backends').length === children;
      });
      return [...read('postmaster.pid'), ...read('backends')].map(identify);
    },
  };
}

/** Forgets the processes of an earlier run, before the server is started again. */
export function clearFakeServer(server: FakeServer): void {
  for (const name of ['postmaster.pid', 'backends']) writeFileSync(join(server.dataDir, name), '');
}
