import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBootId } from '../../../src/guardian/boottime.ts';
import { Journal } from '../../../src/guardian/journal.ts';
import type { WireLease } from '../../../src/guardian/protocol.ts';
import { readOver, RunRecord } from '../../../src/guardian/record.ts';
import type { RunFacts } from '../../../src/guardian/record.ts';
import { chooseSocketPath, preparePrivateDirectory } from '../../../src/guardian/rundir.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbaton-files-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const lease = (deadline: number): WireLease => ({
  leaseId: 'x',
  n: 1,
  deadline,
  ttlMillis: 3000,
  fenceBudgetMillis: 500,
  failsafe: [],
});
const armed = (deadline: number): RunFacts => ({ armed: lease(deadline), over: undefined });
const NOTHING: RunFacts = { armed: undefined, over: undefined };

describe('the run directory', () => {
  it('is made for its user alone', () => {
    const path = join(root, 'a/b');
    expect(preparePrivateDirectory(path).ok).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    chmodSync(path, 0o755);
    expect(preparePrivateDirectory(path).ok).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.each(['/dev/null', '/dev/null/below', '/proc/none'])(
    'is refused with a remedy when it cannot be one: %s',
    (path) => {
      expect(preparePrivateDirectory(path)).toMatchObject({
        ok: false,
        error: { code: 'run-dir-unusable', remedy: expect.any(String) as string },
      });
    },
  );

  it('holds the socket, or says where it is when the path is too long', () => {
    expect(chooseSocketPath(root)).toEqual({ ok: true, value: join(root, 'guardian.sock') });
    const deep = join(root, 'ä'.repeat(50));
    preparePrivateDirectory(deep);
    const chosen = chooseSocketPath(deep);
    const path = chosen.ok ? chosen.value : '';
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(107);
    expect(readFileSync(join(deep, 'guardian.sock.path'), 'utf8')).toBe(`${path}\n`);
    expect(chooseSocketPath(deep)).toEqual(chosen);
    rmSync(join(path, '..'), { recursive: true });
    expect(chooseSocketPath(deep)).toEqual(chosen);
    rmSync(join(path, '..'), { recursive: true });
  });
});

describe('the run record', () => {
  it('holds the newest lease, however many are put at once', async () => {
    const record = new RunRecord(root);
    const put = [1, 2, 3, 4, 5].map((deadline) => record.put(armed(deadline)));
    expect((await Promise.all(put)).every((result) => result.ok)).toBe(true);
    const text = readFileSync(join(root, 'lease.json'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ version: 1, deadline: 5, bootId: expect.any(String) });
  });

  it('goes when it is put away, also when it is not there', async () => {
    const record = new RunRecord(root);
    await record.put(armed(1));
    expect(await record.put(NOTHING)).toEqual({ ok: true, value: undefined });
    expect(existsSync(join(root, 'lease.json'))).toBe(false);
    expect((await record.put(NOTHING)).ok).toBe(true);
  });

  it('tells that it could not be written', async () => {
    const record = new RunRecord(join(root, 'none'));
    expect(await record.put(armed(1))).toMatchObject({
      ok: false,
      error: { code: 'run-record-unwritable' },
    });
  });

  it('keeps which lease is over, beside another one that is in force, for whoever comes next', async () => {
    await new RunRecord(root).put({ armed: undefined, over: 'gone' });
    expect(readOver(root)).toBe('gone');
    await new RunRecord(root).put({ armed: lease(1), over: 'gone' });
    expect(readOver(root)).toBe('gone');
  });

  it('says nothing of a lease that was only in force: its guardian may have died, or live elsewhere', async () => {
    await new RunRecord(root).put(armed(1));
    expect(readOver(root)).toBeUndefined();
  });

  it.each([
    ['was written under another boot', { bootId: 'another', over: 'x' }],
    ['does not say under which boot it was written', { over: 'x' }],
    ['names no lease', { bootId: readBootId(), over: 7 }],
  ])('proves nothing when it %s', (_what, content) => {
    writeFileSync(join(root, 'lease.json'), JSON.stringify(content));
    expect(readOver(root)).toBeUndefined();
  });

  it.each(['', '{"bootId":', '[]'])('proves nothing when it is damaged: %j', (content) => {
    writeFileSync(join(root, 'lease.json'), content);
    expect(readOver(root)).toBeUndefined();
  });

  it('keeps what was known where nothing more can be written', async () => {
    const record = new RunRecord(root);
    await record.put({ armed: undefined, over: 'older' });
    // As on a full disk: the new file cannot be made.
    mkdirSync(join(root, 'lease.json.new'));
    expect((await record.put({ armed: undefined, over: 'newer' })).ok).toBe(false);
    expect(readOver(root)).toBe('older');
  });
});

describe('the log', () => {
  it('is one JSON value a line, in order', async () => {
    const journal = new Journal(root);
    for (let i = 0; i < 100; i += 1) journal.log('info', 'line', { i });
    await journal.settle(5000);
    const lines = readFileSync(join(root, 'guardian.log'), 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(
      Array.from({ length: 100 }, (_value, i) => i),
    );
  });

  it('never grows past two files of about a megabyte', async () => {
    const journal = new Journal(root);
    const text = 'x'.repeat(10_000);
    for (let i = 0; i < 400; i += 1) {
      journal.log('info', text);
      if (i % 20 === 0) await journal.settle(5000);
    }
    await journal.settle(5000);
    const sizes = ['guardian.log', 'guardian.log.1'].map((name) => statSync(join(root, name)).size);
    for (const size of sizes) expect(size).toBeLessThan(1.5 * 1024 * 1024);
  });

  it('costs lines, and nothing else, when it cannot be written', async () => {
    const journal = new Journal(join(root, 'none'));
    for (let i = 0; i < 2000; i += 1) journal.log('info', 'line');
    await journal.settle(1000);
    journal.logNow('error', 'last words', {});
    expect(existsSync(join(root, 'none'))).toBe(false);
  });
});
