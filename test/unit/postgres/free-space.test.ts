import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeBytes } from '../../../src/adapters/postgres/free-space.ts';

test('the room of the file system that the data and their log are on', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'pgbaton-free-'));
  try {
    mkdirSync(join(dataDir, 'pg_wal'));
    const free = await freeBytes(dataDir);
    const { blocks, bsize } = statfsSync(dataDir);
    expect(free).toBeGreaterThan(0);
    expect(free).toBeLessThan(blocks * bsize);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

test('it is not known of a directory without a log', async () => {
  expect(await freeBytes('/nonexistent')).toBeUndefined();
});
