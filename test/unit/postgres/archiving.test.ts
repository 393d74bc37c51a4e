import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { hasUnarchivedLog } from '../../../src/adapters/postgres/archiving.ts';

let dataDir: string | undefined;
afterEach(() => {
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true });
  dataDir = undefined;
});

function directoryWith(...files: readonly string[]): string {
  dataDir = mkdtempSync(join(tmpdir(), 'pgbaton-archiving-'));
  const status = join(dataDir, 'pg_wal', 'archive_status');
  mkdirSync(status, { recursive: true });
  for (const file of files) writeFileSync(join(status, file), '');
  return dataDir;
}

test.each([
  [[], false],
  [['000000010000000000000001.done'], false],
  [['000000010000000000000001.done', '000000010000000000000002.ready'], true],
])('with %j in archive_status, something waits to be archived: %s', async (files, waits) => {
  expect(await hasUnarchivedLog(directoryWith(...files))).toBe(waits);
});

test('where nothing can be read nothing is known to wait', async () => {
  expect(await hasUnarchivedLog('/nonexistent')).toBe(false);
});
