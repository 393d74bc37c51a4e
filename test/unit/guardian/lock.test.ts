import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBootId } from '../../../src/guardian/boottime.ts';
import { acquireLock, isLockAlive, readLock } from '../../../src/guardian/lock.ts';
import { readProcess } from '../../../src/guardian/procfs.ts';

let runDir: string;
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'pgbaton-lock-'));
});
afterEach(() => {
  rmSync(runDir, { recursive: true });
});

const startTicks = readProcess(process.pid)?.startTicks ?? 0;
const alive = {
  pid: process.pid,
  startTicks,
  bootId: readBootId(),
  dataDir: '/data',
  socket: '/socket',
};
const write = (text: string): void => {
  writeFileSync(join(runDir, 'guardian.pid'), text);
};

describe('the lock of a run directory', () => {
  it('names its holder, and goes when it is released', () => {
    const lock = acquireLock(runDir, '/data', '/socket');
    expect(readLock(runDir)).toEqual(alive);
    expect(lock.ok && lock.value.held()).toBe(true);
    expect(lock.ok && lock.value.release()).toBe(undefined);
    expect(readdirSync(runDir)).toEqual([]);
  });

  it('refuses a second holder while the first lives, and says who it is', () => {
    acquireLock(runDir, '/data', '/socket');
    expect(acquireLock(runDir, '/data', '/socket')).toEqual({
      ok: false,
      error: {
        code: 'guardian-exists',
        message: `process ${process.pid} guards /data already`,
      },
    });
  });

  it.each([
    ['has ended', { ...alive, pid: 4_194_303 }],
    ['has ended, and its number belongs to another process', { ...alive, startTicks: 1 }],
    ['ran before the host was restarted', { ...alive, bootId: 'another' }],
  ])('is taken from a holder that %s', (_why, record) => {
    write(JSON.stringify(record));
    expect(isLockAlive(record)).toBe(false);
    expect(acquireLock(runDir, '/data', '/socket').ok).toBe(true);
    expect(readLock(runDir)).toEqual(alive);
    expect(readdirSync(runDir)).toEqual(['guardian.pid']);
  });

  it.each(['', 'no json', '[]', '{"pid":"1"}', '{"pid":1}'])(
    'is taken when nobody can read who holds it: %j',
    (text) => {
      write(text);
      expect(readLock(runDir)).toBeUndefined();
      expect(acquireLock(runDir, '/data', '/socket').ok).toBe(true);
    },
  );

  it('is not removed by one that has lost it', () => {
    const lock = acquireLock(runDir, '/data', '/socket');
    write(JSON.stringify({ ...alive, startTicks: 1 }));
    expect(lock.ok && lock.value.held()).toBe(false);
    if (lock.ok) lock.value.release();
    expect(readdirSync(runDir)).toEqual(['guardian.pid']);
  });
});
