import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJournal } from '../../../src/telemetry/events.ts';
import { recordingLogger } from '../api/fake-agent.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pgbaton-journal-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const numbersIn = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: unknown }).n);

describe('the journal', () => {
  it('keeps every entry in order, one JSON value a line', async () => {
    const path = join(dir, 'deeper', 'journal.jsonl');
    const journal = createJournal({ path, maxBytes: 1_000_000, logger: recordingLogger() });
    for (let n = 0; n < 500; n += 1) journal.record({ n, text: 'two\nlines' });
    await journal.close();
    expect(numbersIn(path)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('goes on where an earlier process stopped', async () => {
    const path = join(dir, 'journal.jsonl');
    for (const n of [1, 2]) {
      const journal = createJournal({ path, maxBytes: 1000, logger: recordingLogger() });
      journal.record({ n });
      await journal.close();
    }
    expect(numbersIn(path)).toEqual([1, 2]);
  });

  it('is bounded: one older file, and both within the size', async () => {
    const path = join(dir, 'journal.jsonl');
    const journal = createJournal({ path, maxBytes: 1000, logger: recordingLogger() });
    for (let n = 0; n < 1000; n += 1) {
      journal.record({ n });
      if (n % 7 === 0) await journal.close();
    }
    await journal.close();
    expect(statSync(path).size).toBeLessThanOrEqual(1000);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1000);
    expect(existsSync(`${path}.2`)).toBe(false);
    const kept = [...numbersIn(`${path}.1`), ...numbersIn(path)];
    expect(kept.at(-1)).toBe(999);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, n) => 1000 - kept.length + n));
  });

  it('tells once that it cannot write, and never throws', async () => {
    const logger = recordingLogger();
    writeFileSync(join(dir, 'file'), '');
    const path = join(dir, 'file', 'journal.jsonl');
    const journal = createJournal({ path, maxBytes: 1000, logger });
    for (let n = 0; n < 10; n += 1) {
      journal.record({ n });
      await journal.close();
    }
    expect(logger.lines.map((line) => line.message)).toEqual(['decisions are not being journaled']);
  });
});
