import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { fail, ok } from '../core/result.ts';
import { readBootId } from './boottime.ts';
import { findRunning, readProcess } from './procfs.ts';
import type { ProcessIdentity } from './procfs.ts';
import { isObject, parseObject } from './protocol.ts';
import { RUN_FILES } from './rundir.ts';

/** Content of `<runDir>/guardian.pid`: the one guardian of a data directory. */
export interface LockRecord extends ProcessIdentity {
  readonly bootId: string;
  readonly dataDir: string;
  readonly socket: string;
}

export interface Lock {
  /** Whether the file is still this process's own. */
  held(): boolean;
  release(): void;
}

const ATTEMPTS_MAX = 5;

function parseRecord(text: string): LockRecord | undefined {
  const value = parseObject(text);
  if (!isObject(value)) return undefined;
  const { pid, startTicks, bootId, dataDir, socket } = value;
  if (typeof pid !== 'number' || typeof startTicks !== 'number') return undefined;
  if (typeof bootId !== 'string' || typeof dataDir !== 'string' || typeof socket !== 'string') {
    return undefined;
  }
  return { pid, startTicks, bootId, dataDir, socket };
}

/** The guardian that the run directory names, dead or alive. */
export function readLock(runDir: string): LockRecord | undefined {
  try {
    return parseRecord(readFileSync(join(runDir, RUN_FILES.lock), 'utf8'));
  } catch {
    return undefined;
  }
}

/** That very process runs, on this boot of the host. */
export const isLockAlive = (record: LockRecord): boolean =>
  record.bootId === readBootId() && findRunning(record) !== undefined;

function tryUnlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

/** Takes a dead holder's file away; puts it back when a living guardian's was caught instead. */
function removeStale(path: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    const caught = parseRecord(readFileSync(aside, 'utf8'));
    if (caught !== undefined && isLockAlive(caught)) linkSync(aside, path);
  } catch {
    // A third one has taken it meanwhile: then it decides.
  }
  tryUnlink(aside);
}

/** Fails with `guardian-exists` while another guardian of this run directory lives. */
export function acquireLock(runDir: string, dataDir: string, socket: string): Result<Lock> {
  const path = join(runDir, RUN_FILES.lock);
  const startTicks = readProcess(process.pid)?.startTicks ?? 0;
  const own: LockRecord = {
    pid: process.pid,
    startTicks,
    bootId: readBootId(),
    dataDir,
    socket,
  };
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(own)}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      try {
        // Appears whole or not at all, and fails when the name is taken.
        linkSync(fresh, path);
        return ok(lockOf(runDir, path, own));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readLock(runDir);
      if (holder !== undefined && isLockAlive(holder)) break;
      removeStale(path);
    }
  } finally {
    tryUnlink(fresh);
  }
  const holder = readLock(runDir);
  return fail(
    'guardian-exists',
    `process ${holder?.pid ?? '?'} guards ${holder?.dataDir ?? 'this run directory'} already`,
  );
}

function lockOf(runDir: string, path: string, own: LockRecord): Lock {
  const held = (): boolean => {
    const found = readLock(runDir);
    return found?.pid === own.pid && found.startTicks === own.startTicks;
  };
  return {
    held,
    release() {
      if (held()) tryUnlink(path);
    },
  };
}
