import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { hasUnarchivedLog, isArchiver } from '../../../src/adapters/postgres/archiving.ts';

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
  expect(await hasUnarchivedLog(directoryWith(...files), async () => Promise.resolve(true))).toBe(
    waits,
  );
});

test('where nothing can be read nothing is known to wait', async () => {
  expect(await hasUnarchivedLog('/nonexistent')).toBe(false);
});

test('what nobody is there to archive is not waited for', async () => {
  expect(await hasUnarchivedLog(directoryWith('000000010000000000000001.ready'))).toBe(false);
});

test.each([
  ['postgres: archiver ', true],
  ['postgres: main: archiver last was 000000010000000000000002', true],
  ['postgres: archiver: walwriter ', false],
  ['postgres: main: checkpointer ', false],
])('%j is the archiver: %s', (title, expected) => {
  expect(isArchiver(title)).toBe(expected);
});
