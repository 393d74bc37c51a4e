import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import * as fc from 'fast-check';
import { Document, parse } from 'yaml';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { LogSettings } from '../../../src/core/service-settings.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { secretsIn } from '../../../src/telemetry/known-secrets.ts';
import { redact } from '../../../src/telemetry/redact.ts';
import { SETTINGS_REFERENCE } from '../../../src/config/reference.ts';
import { MINIMAL, sourceOf } from '../config/fixtures.ts';

const SETTINGS: LogSettings = {
  type: 'json',
  level: 'info',
  staticFields: {},
  dir: undefined,
  fileMode: undefined,
  fileCount: 2,
  fileSizeBytes: 1_000_000,
  journalSizeBytes: 0,
  deduplicateHeartbeats: false,
};

const directories: string[] = [];
afterEach(() => {
  for (const dir of directories.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function freshDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'pgbaton-log-'));
  directories.push(dir);
  return dir;
}

async function logTo(settings: Partial<LogSettings> = {}) {
  let written = '';
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      written += chunk;
      callback();
    },
  });
  const logger = await createLogger({
    scope: 'demo',
    name: 'pg1',
    settings: { ...SETTINGS, ...settings },
    output,
  });
  const lines = async (): Promise<string[]> => {
    await logger.flush();
    return written.split('\n').filter((line) => line !== '');
  };
  const entries = async (): Promise<unknown[]> =>
    (await lines()).map((line): unknown => JSON.parse(line));
  return { logger, lines, entries };
}

describe('the log', () => {
  it('is one JSON object a line, with who, when, how bad and what', async () => {
    const { logger, entries } = await logTo({ staticFields: { site: 'north' } });
    logger.log('warn', 'lease lapsed', { leftMillis: 0, lsn: 12n });
    expect(await entries()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        scope: 'demo',
        name: 'pg1',
        site: 'north',
        leftMillis: 0,
        lsn: '12',
        msg: 'lease lapsed',
      },
    ]);
  });

  it('changes its level while it runs', async () => {
    const { logger, entries } = await logTo();
    logger.log('debug', 'one');
    logger.setLevel('debug');
    logger.log('debug', 'two');
    logger.setLevel('fatal');
    logger.log('error', 'three');
    expect(await entries()).toMatchObject([{ msg: 'two' }]);
  });

  it('shows no secret, wherever it hides', async () => {
    const { logger, lines } = await logTo();
    logger.log('error', 'cannot connect to postgres://app:hunter2@db:5432/app', {
      settings: { password: 'hunter2', nested: [{ Authorization: 'Basic aHVudGVyMg==' }] },
      secret: new Secret('hunter2'),
      kept: new Secret('hunter2'),
      conninfo: "host=db user=app password='hunter2' sslmode=require",
      'x-consul-token': 'hunter2',
      header: 'authorization: Bearer hunter2hunter2',
      error: new Error('password=hunter2 refused', { cause: new Error('token: hunter2') }),
    });
    const text = (await lines()).join('');
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('aHVudGVyMg');
    expect(text).toContain('sslmode=require');
  });

  it('keeps what an error says, and its code', async () => {
    const { logger, entries } = await logTo();
    logger.log('error', 'failed', {
      error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    });
    expect(await entries()).toMatchObject([
      { error: { type: 'Error', message: 'refused', code: 'ECONNREFUSED' } },
    ]);
  });

  it('takes any value without failing its caller', async () => {
    const { logger } = await logTo();
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    logger.log('info', 'ring', ring);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => {
        logger.log('info', 'x', fields);
      }),
      { numRuns: 200 },
    );
  });

  it('is JSON where nobody reads along, unless told otherwise', async () => {
    const { logger, entries } = await logTo({ type: undefined });
    logger.log('info', 'promoted');
    expect(await entries()).toMatchObject([{ msg: 'promoted' }]);
  });

  it('is text for people when asked for', async () => {
    const { logger, lines } = await logTo({ type: 'plain' });
    logger.log('info', 'promoted', { timeline: 3 });
    await expect.poll(async () => (await lines()).join('\n')).toContain('timeline: 3');
    const text = (await lines()).join('\n');
    expect(text).toMatch(/INFO: promoted/);
    expect(text).not.toContain('{"level"');
  });

  it('goes to a file that is rotated and closed to others', async () => {
    const dir = freshDirectory();
    const settings = { ...SETTINGS, dir, fileSizeBytes: 500, fileMode: 0o600 };
    const logger = await createLogger({ scope: 'demo', name: 'pg1', settings });
    for (let round = 0; round < 20; round += 1) {
      logger.log('info', `line ${round}`);
      await logger.flush();
    }
    const newest = join(dir, 'pgbaton.log');
    expect(readFileSync(newest, 'utf8')).toContain('line 19');
    expect(statSync(newest).mode & 0o777).toBe(0o600);
    for (const file of [newest, `${newest}.1`, `${newest}.2`]) {
      expect(statSync(file).size).toBeLessThanOrEqual(500);
    }
    expect(() => statSync(`${newest}.3`)).toThrow();
  });
});

/** Every setting that is a secret, with a value of its own. */
const SECRET_KEYS = SETTINGS_REFERENCE.filter(({ unit }) => unit === 'secret').flatMap(({ key }) =>
  key.includes('<role>')
    ? ['superuser', 'replication', 'rewind'].map((role) => key.replace('<role>', role))
    : [key],
);
const WORDS = SECRET_KEYS.map((key, at) => [key, `w0rd "${at}" of/${'x'.repeat(at)}\\`] as const);

function configurationWithSecrets(): string {
  const document = new Document(parse(MINIMAL));
  for (const [key, word] of WORDS) document.setIn(key.split('.'), word);
  for (const [key, value] of [
    ['restapi.authentication.username', 'a'],
    ['restapi.certfile', '/c'],
    ['restapi.keyfile', '/k'],
    ['ctl.authentication.username', 'a'],
    ['ctl.certfile', '/c'],
    ['ctl.keyfile', '/k'],
    ['postgresql.authentication.rewind.username', 'r'],
  ] as const)
    document.setIn(key.split('.'), value);
  return String(document);
}

describe('the secrets of the configuration', () => {
  it('are all found in the settings', async () => {
    expect(SECRET_KEYS.length).toBeGreaterThan(8);
    const source = await sourceOf(configurationWithSecrets());
    const found = [...secretsIn(source.current()), ...secretsIn(source.services())];
    const revealed = new Set(found.map((secret) => secret.reveal()));
    expect(WORDS.filter(([, word]) => !revealed.has(word))).toEqual([]);
  });

  it.each(['json', 'plain'] as const)(
    'are in no %s line, whatever repeats them in whatever form',
    async (type) => {
      const source = await sourceOf(configurationWithSecrets());
      const { logger, lines } = await logTo({ type });
      logger.hide([...secretsIn(source.current()), ...secretsIn(source.services())]);
      for (const [key, word] of WORDS) {
        logger.log('info', `${key} is ${word}`, {
          [word]: [word, { text: `${word} and ${encodeURIComponent(word)}` }],
          error: new Error(`refused: ${word}`, { cause: new Error(word) }),
          settings: source.current(),
          services: source.services(),
        });
      }
      await expect.poll(async () => (await lines()).join('\n')).toContain(SECRET_KEYS.at(-1));
      const text = (await lines()).join('\n');
      expect(text.length).toBeGreaterThan(1000);
      for (const [, word] of WORDS) {
        expect(text).not.toContain(word);
        expect(text).not.toContain(JSON.stringify(word).slice(1, -1));
        expect(text).not.toContain(encodeURIComponent(word));
      }
    },
  );

  it('stay hidden after others have taken their place', async () => {
    const { logger, lines } = await logTo();
    logger.hide([new Secret('former-word')]);
    logger.hide([new Secret('present-word')]);
    logger.log('info', 'former-word, present-word');
    expect((await lines()).join('')).not.toMatch(/former-word|present-word/);
  });

  it('that are too short to be any hide nothing else', async () => {
    const { logger, entries } = await logTo();
    logger.hide([new Secret('a'), new Secret('')]);
    logger.log('info', 'a lease');
    expect(await entries()).toMatchObject([{ msg: 'a lease' }]);
  });
});

describe('redaction', () => {
  it('leaves what is no secret as it is', () => {
    const value = { a: 1, b: 'host=db port=5432', c: [true, null], d: { e: 'passenger list' } };
    expect(redact(value)).toEqual(value);
  });

  it('is bounded in depth and length', () => {
    let deep: unknown = 'x';
    for (let level = 0; level < 1000; level += 1) deep = { deep };
    expect(JSON.stringify(redact(deep)).length).toBeLessThan(200);
    expect(JSON.stringify(redact('y'.repeat(1_000_000))).length).toBeLessThan(5000);
  });
});
