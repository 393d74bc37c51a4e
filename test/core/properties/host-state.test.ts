import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHostState } from '../../../src/adapters/system/host-state.ts';
import { lsn } from '../../../src/core/lsn.ts';
import {
  parseObject,
  parseReply,
  parseRequest,
  writeLine,
} from '../../../src/guardian/protocol.ts';
import type { WireLease } from '../../../src/guardian/protocol.ts';
import type { HostMemory } from '../../../src/core/view.ts';

const text = fc.string({ unit: 'grapheme' });
const count = fc.maxSafeNat();
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });
const timeline = fc.integer({ min: 1 });
const position = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(lsn);
const facts: fc.Arbitrary<HostMemory> = fc.record({
  floor: fc.record({ n: count, id: maybe(text) }),
  promotions: fc.array(fc.record({ id: text, timeline, switchLsn: position }), { maxLength: 5 }),
  followed: maybe(fc.record({ id: text, timeline, from: maybe(text) })),
  systemIdentifier: maybe(text),
  founding: maybe(text),
});

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgbaton-host-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe('what a host must not forget', () => {
  test('is there again, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(facts, async (written) => {
        const state = createHostState(directory);
        expect(await state.save(written)).toMatchObject({ ok: true });
        expect(await state.load()).toEqual({ ok: true, value: written });
      }),
      { numRuns: 60 },
    );
  });

  test('is the newest of what was saved, however many savers there are at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(facts, { minLength: 1, maxLength: 4 }), async (several) => {
        const state = createHostState(directory);
        await Promise.all(several.map(async (each) => state.save(each)));
        expect(await state.load()).toEqual({ ok: true, value: several.at(-1) });
      }),
      { numRuns: 20 },
    );
  });

  test('is refused with what to do about it when the file holds anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), text), async (content) => {
        await writeFile(join(directory, 'state.json'), content);
        const loaded = await createHostState(directory).load();
        if (loaded.ok) expect(loaded.value.floor.n).toBeGreaterThanOrEqual(0);
        else expect(loaded.error).toMatchObject({ code: 'host-state-garbled' });
      }),
      { numRuns: 60 },
    );
  });
});

describe('lines between agent and guardian', () => {
  const lease: fc.Arbitrary<WireLease> = fc.record({
    leaseId: fc.string({ unit: 'grapheme', minLength: 1 }),
    n: count,
    deadline: fc.integer({ min: 1, max: 2 ** 40 }),
    ttlMillis: fc.integer({ min: 1, max: 3_600_000 }),
    fenceBudgetMillis: fc.integer({ min: 1, max: 60_000 }),
    failsafe: fc.array(text, { maxLength: 3 }),
  });

  test('carry a deadline unchanged', () => {
    fc.assert(
      fc.property(lease, count, (written, id) => {
        const line = writeLine({ type: 'arm', id, lease: written });
        expect(line.endsWith('\n')).toBe(true);
        expect(line.trimEnd().includes('\n')).toBe(false);
        const request = parseRequest(parseObject(line.trimEnd()) ?? {});
        expect(request).toMatchObject({ ok: true, value: { type: 'arm', lease: written } });
      }),
    );
  });

  test('that say anything else are refused, and end nothing', () => {
    const line = fc.oneof(
      fc.json(),
      text,
      fc.json().map((json) => `{"type":"arm","lease":${json}}`),
    );
    fc.assert(
      fc.property(line, (said) => {
        const value = parseObject(said);
        if (value === undefined) return;
        const request = parseRequest(value);
        if (!request.ok) expect(request.error.message).not.toBe('');
        parseReply(value);
      }),
      { numRuns: 500 },
    );
  });
});
