import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Result } from '../core/result.ts';
import { done, fail, ok } from '../core/result.ts';

/** Bytes of a Unix socket's path that the kernel takes, without the terminating one. Source: unix(7). */
const SOCKET_PATH_BYTES_MAX = 107;

export const RUN_FILES = {
  socket: 'guardian.sock',
  /** Where the socket is when its path would be too long here. */
  socketPath: 'guardian.sock.path',
  lock: 'guardian.pid',
  lease: 'lease.json',
  log: 'guardian.log',
  /** What a guardian printed that could not even open its log. */
  startError: 'guardian.err',
} as const;

/** Node's own recursive way never ends where a file system answers ENOENT for what it does not take. */
function makeDirectory(path: string): void {
  const make = (): NodeJS.ErrnoException | undefined => {
    try {
      mkdirSync(path, { mode: 0o700 });
      return undefined;
    } catch (error) {
      return error as NodeJS.ErrnoException;
    }
  };
  let failed = make();
  if (failed?.code === 'ENOENT' && dirname(path) !== path) {
    makeDirectory(dirname(path));
    failed = make();
  }
  if (failed !== undefined && failed.code !== 'EEXIST') throw failed;
}

/**
 * Makes a directory that only this user can enter. Fails with `run-dir-unusable` when it cannot be
 * made or belongs to another user: whoever owns it could pose as the guardian.
 */
export function preparePrivateDirectory(path: string): Result<void> {
  try {
    makeDirectory(path);
    const found = lstatSync(path);
    const uid = process.geteuid?.();
    if (!found.isDirectory()) {
      return fail('run-dir-unusable', `${path} is no directory`, 'remove it or name another one');
    }
    if (uid !== undefined && found.uid !== uid) {
      return fail(
        'run-dir-unusable',
        `${path} belongs to user ${found.uid}, not to ${uid}`,
        'give it to the user that runs pgbaton, or name another one',
      );
    }
    if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
    return done;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      'run-dir-unusable',
      `${path} cannot be used as the run directory: ${reason}`,
      'create it for the user that runs pgbaton, with mode 0700',
    );
  }
}

/**
 * Where the guardian of this run directory listens. A path too long for the kernel is replaced by
 * a short one below the temporary directory, and noted in the run directory.
 */
export function chooseSocketPath(runDir: string): Result<string> {
  const direct = join(runDir, RUN_FILES.socket);
  if (Buffer.byteLength(direct) <= SOCKET_PATH_BYTES_MAX) return ok(direct);
  const noted = readNotedPath(runDir);
  if (noted !== undefined) return ok(noted);
  const prefix = join(tmpdir(), 'pgbaton-');
  // Six letters are added to make the directory one's own.
  if (Buffer.byteLength(join(`${prefix}XXXXXX`, RUN_FILES.socket)) > SOCKET_PATH_BYTES_MAX) {
    return fail(
      'socket-path-too-long',
      `neither ${direct} nor a path below ${tmpdir()} fits into the ${SOCKET_PATH_BYTES_MAX} bytes of a socket path`,
      'name a shorter run directory',
    );
  }
  try {
    const short = join(mkdtempSync(prefix), RUN_FILES.socket);
    writeFileSync(join(runDir, RUN_FILES.socketPath), `${short}\n`, { mode: 0o600 });
    return ok(short);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      'run-dir-unusable',
      `no place for the socket of ${runDir}: ${reason}`,
      'name a shorter run directory',
    );
  }
}

function readNotedPath(runDir: string): string | undefined {
  try {
    const path = readFileSync(join(runDir, RUN_FILES.socketPath), 'utf8').trim();
    // The temporary directory may have been swept meanwhile.
    return preparePrivateDirectory(dirname(path)).ok ? path : undefined;
  } catch {
    return undefined;
  }
}
