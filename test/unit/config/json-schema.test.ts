import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { bytes, duration, flag, integer, oneOf, port } from '../../../src/wire/config/scalars.ts';

/* What an editor marks: never what the loader takes, and as much as it can of what the loader refuses. */

const CONFIG = new URL('../../../config', import.meta.url).pathname;
const schema = configJsonSchema();

function fromJsonSchema(value: unknown): z.ZodType {
  return z.fromJSONSchema(value as Parameters<typeof z.fromJSONSchema>[0]);
}

const editor = fromJsonSchema(schema);
const isMarked = (document: unknown): boolean => !editor.safeParse(document).success;

/** The schema of one setting. */
function at(setting: string): z.ZodType {
  const found = setting.split('.').reduce<JsonObject>((section, key) => {
    const properties = section['properties'] as JsonObject;
    return properties[key] as JsonObject;
  }, schema);
  return fromJsonSchema(found);
}

const example = (): JsonObject =>
  parse(readFileSync(join(CONFIG, 'pgbaton.example.yml'), 'utf8')) as JsonObject;

/** The example with one more thing in it. */
function withSetting(setting: string, value: unknown): JsonObject {
  const document = structuredClone(example()) as Record<string, unknown>;
  const keys = setting.split('.');
  let section = document;
  for (const key of keys.slice(0, -1)) {
    section[key] ??= {};
    section = section[key] as Record<string, unknown>;
  }
  section[keys.at(-1) ?? ''] = value;
  return document as JsonObject;
}

test.each(readdirSync(CONFIG).filter((name) => name.endsWith('.example.yml')))(
  'nothing of %s is marked',
  (name) => {
    expect(isMarked(parse(readFileSync(join(CONFIG, name), 'utf8')))).toBe(false);
  },
);

const written = fc.oneof(
  fc.boolean(),
  fc.integer({ min: -5, max: 2000 }),
  fc.double({ noNaN: true }),
  fc
    .tuple(
      fc.constantFrom('', ' ', '+', '-'),
      fc.constantFrom('', '0', '1', '30', '0.5', '8008', '65536'),
      fc.constantFrom('', ' ', 'ms', 's', ' min', 'h', 'MB', 'kb', 'GB', 'B'),
      fc.constantFrom('', ' ', '\n'),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('on', 'Off', 'TRUE', 'no', ' yes ', 'T', 'plain', 'JSON', 'Plain', 'xml', ''),
);

describe('what the loader takes is not marked:', () => {
  test.each([
    ['a boolean', flag(), 'consul.verify'],
    ['a duration', duration(), 'bootstrap.dcs.ttl'],
    ['a size', bytes(), 'log.file_size'],
    ['a number', integer(1), 'log.file_num'],
    ['a port', port(), 'consul.port'],
    ['a choice', oneOf('plain', 'json'), 'log.type'],
  ])('%s', (_what, loader, setting) => {
    const marks = at(setting);
    let taken = 0;
    fc.assert(
      fc.property(written, (value) => {
        if (!loader.safeParse(value).success) return;
        taken += 1;
        expect(marks.safeParse(value).success, JSON.stringify(value)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

test.each([
  ['bootstrap.dcs.ttl', 'soon'],
  ['bootstrap.dcs.ttl', -1],
  ['bootstrap.dcs.maximum_lag_on_failover', '1 megabyte'],
  ['bootstrap.dcs.failsafe_mode', 'perhaps'],
  ['log.type', 'xml'],
  ['consul.port', 0],
  ['postgresql.datadir', '/var/lib/postgresql/main'],
  ['bootstrap.dsc', 'ttl'],
  ['restapi.lisen', '0.0.0.0:8008'],
  ['nonsense', 1],
])('a mistake is marked: %s: %j', (setting, value) => {
  expect(isMarked(withSetting(setting, value))).toBe(true);
});

test.each([
  ['log', null],
  ['log.dir', null],
  ['log.level', 'INFO'],
  ['bootstrap.dcs.ttl', '30s'],
  ['postgresql.wal_g', { command: '/usr/local/bin/clone' }],
  ['bootstrap.wal_g', { command: '/usr/local/bin/restore' }],
])('as Patroni has it, it is not: %s: %j', (setting, value) => {
  expect(isMarked(withSetting(setting, value))).toBe(false);
});
