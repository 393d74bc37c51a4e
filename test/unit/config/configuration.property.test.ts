import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatProblem } from '../../../src/config/problem.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { MINIMAL, rawProblemsOf, sourceOf, warningsOf, writeConfig } from './fixtures.ts';

const RUNS = { numRuns: 60 };
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,12}$/);

/** Values that a dynamic configuration may have, in the forms in which people write them. */
const flag = fc.constantFrom<boolean | string>(true, false, 'on', 'off');
const seconds = (min: number, max: number) =>
  fc.integer({ min, max }).chain((value) => fc.constantFrom<number | string>(value, `${value}s`));
const dynamic = fc
  .record(
    {
      ttl: seconds(10, 60),
      loop_wait: seconds(1, 10),
      retry_timeout: seconds(3, 10),
      heartbeat: fc.constantFrom<number | string>(0.5, '500ms', 1),
      fence_budget: fc.constantFrom<number | string>(0.5, '200ms'),
      primary_start_timeout: seconds(0, 600),
      maximum_lag_on_failover: fc.constantFrom<number | string>(0, 1_048_576, '16MB'),
      max_timelines_history: fc.nat(50),
      failsafe_mode: flag,
      check_timeline: flag,
      member_slots_ttl: fc.constantFrom<number | string>(0, '30min', '1h'),
      postgresql: fc.record(
        {
          use_pg_rewind: flag,
          use_slots: flag,
          remove_data_directory_on_diverged_timelines: flag,
          parameters: fc.dictionary(fc.stringMatching(/^x_[a-z]{1,8}$/), fc.integer(), {
            noNullPrototype: true,
          }),
          pg_hba: fc.array(fc.constantFrom('local all all trust', 'host all all 0.0.0.0/0 md5')),
        },
        { requiredKeys: [] },
      ),
    },
    // The default of 3 s is too short for some of the others.
    { requiredKeys: ['ttl'] },
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
const withDynamic = (dcs: JsonObject): string =>
  MINIMAL + stringify({ bootstrap: { dcs } }, { version: '1.1' });

describe('the dynamic configuration', () => {
  test('means in the key of a new cluster what it meant in the file that it came from', async () => {
    await fc.assert(
      fc.asyncProperty(dynamic, async (given) => {
        const source = await sourceOf(withDynamic(given));
        const before = source.current();
        const published = before.bootstrap?.dynamic ?? {};
        const after = source.applyDynamic(published);
        expect(after.policy).toEqual(before.policy);
        expect(after.postgres).toEqual(before.postgres);
        expect(after.bootstrap?.dynamic).toEqual(published);
      }),
      RUNS,
    );
  });

  test('read twice is what it is read once, and what is accepted leaves nothing to complain of', async () => {
    const source = await sourceOf(MINIMAL);
    fc.assert(
      fc.property(dynamic, (given) => {
        expect(source.validateDynamic(given).ok).toBe(true);
        const once = source.applyDynamic(given);
        expect(once.warnings).toEqual([]);
        expect(source.applyDynamic(given)).toEqual(once);
      }),
      RUNS,
    );
  });

  test('leaves no trace of the one before it', async () => {
    const [fresh, used] = [await sourceOf(MINIMAL), await sourceOf(MINIMAL)];
    fc.assert(
      fc.property(dynamic, dynamic, (former, given) => {
        used.applyDynamic(former);
        expect(used.applyDynamic(given)).toEqual(fresh.applyDynamic(given));
      }),
      RUNS,
    );
  });
});

/** Settings that both a file and a variable can give, by the name of the variable. */
const VARIABLES: Readonly<Record<string, readonly [path: string, value: fc.Arbitrary<string>]>> = {
  NAME: ['name', word],
  SCOPE: ['scope', word],
  NAMESPACE: ['namespace', word],
  CONSUL_HOST: ['consul.host', word.map((host) => `${host}.example:8500`)],
  CONSUL_TOKEN: ['consul.token', word],
  CONSUL_REGISTER_SERVICE: ['consul.register_service', fc.constantFrom('true', 'off')],
  RESTAPI_CONNECT_ADDRESS: [
    'restapi.connect_address',
    fc.ipV4().map((address) => `${address.replace(/^0\./, '1.')}:8009`),
  ],
  POSTGRESQL_DATA_DIR: ['postgresql.data_dir', word.map((name) => `/srv/${name}`)],
  POSTGRESQL_BIN_DIR: ['postgresql.bin_dir', word.map((name) => `/opt/${name}`)],
  LOG_LEVEL: ['log.level', fc.constantFrom('debug', 'INFO', 'error')],
  SUPERUSER_USERNAME: ['postgresql.authentication.superuser.username', word],
  SUPERUSER_PASSWORD: ['postgresql.authentication.superuser.password', word],
  RESTAPI_ALLOWLIST: ['restapi.allowlist', fc.constantFrom('10.0.0.1', '10.0.0.1,10.0.0.2')],
};
const chosen = fc.record(
  Object.fromEntries(Object.entries(VARIABLES).map(([name, [, value]]) => [name, value])),
  { requiredKeys: [] },
);
const nest = (path: readonly string[], value: string): JsonObject => {
  const [first = '', ...rest] = path;
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
};

describe('a variable of the environment', () => {
  test('says what the same value says in a file that is read after the others', async () => {
    const prefix = fc.constantFrom('PATRONI_', 'PGBATON_');
    await fc.assert(
      fc.asyncProperty(chosen, prefix, async (values, kind) => {
        const given = Object.entries(values).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const],
        );
        const environment = Object.fromEntries(
          given.map(([name, value]) => [kind + name, value] as const),
        );
        const byVariable = await sourceOf(MINIMAL, environment);
        const overlay = given.reduce<JsonObject>((tree, [name, value]) => {
          const path = VARIABLES[name]?.[0] ?? '';
          return overlaid(tree, nest(path.split('.'), value));
        }, parsedMinimal());
        const byFile = await sourceOf(stringify(overlay, { version: '1.1' }));
        expect(byVariable.current()).toEqual(byFile.current());
        expect(byVariable.services()).toEqual(byFile.services());
      }),
      RUNS,
    );
  });
});

const parsedMinimal = (): JsonObject => ({
  scope: 'main',
  name: 'node1',
  restapi: { listen: '0.0.0.0:8008', connect_address: '10.0.0.1:8008' },
  consul: { host: '127.0.0.1:8500' },
  postgresql: {
    listen: '0.0.0.0:5432',
    connect_address: '10.0.0.1:5432',
    data_dir: '/data',
    authentication: {
      superuser: { username: 'postgres', password: 'super-word' },
      replication: { username: 'replicator', password: 'repl-word' },
    },
  },
});
function overlaid(below: JsonObject, above: JsonObject): JsonObject {
  const merged = Object.entries(above).map(([key, value]) => {
    const former = below[key];
    const both = isObject(former) && isObject(value);
    return [key, both ? overlaid(former, value) : value] as const;
  });
  return { ...below, ...Object.fromEntries(merged) };
}
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

describe('a key that nobody knows', () => {
  const unknown = word.map((name) => `zz_${name.toLowerCase()}`);
  const section = fc.constantFrom('', 'restapi', 'consul');

  test('is named with its line, and changes nothing', async () => {
    const expected = (await sourceOf(MINIMAL)).current();
    await fc.assert(
      fc.asyncProperty(unknown, section, word, async (key, under, value) => {
        const at = under === '' ? 0 : MINIMAL.split('\n').indexOf(`${under}:`) + 1;
        const lines = MINIMAL.split('\n');
        lines.splice(at, 0, `${under === '' ? '' : '  '}${key}: ${value}`);
        const content = lines.join('\n');
        const path = under === '' ? key : `${under}.${key}`;
        const [warning, ...others] = await warningsOf(content);
        expect(others).toEqual([]);
        expect(warning).toMatch(new RegExp(`:${at + 1}:\\d+: ${path}: `));
        const { warnings, ...settings } = (await sourceOf(content)).current();
        expect({ ...settings, warnings: [] }).toEqual(expected);
        expect(warnings).toHaveLength(1);
      }),
      RUNS,
    );
  });
});

describe('a value that cannot be', () => {
  const wrong = fc.constantFrom<readonly [key: string, line: string, value: unknown]>(
    ['restapi.listen', '  listen: 0.0.0.0:8008', 'host:99999'],
    ['restapi.connect_address', '  connect_address: 10.0.0.1:8008', []],
    ['consul.host', '  host: 127.0.0.1:8500', { a: 1 }],
    ['postgresql.listen', '  listen: 0.0.0.0:5432', 'no port:x'],
    ['postgresql.data_dir', '  data_dir: /data', ['/data']],
    ['postgresql.authentication.superuser.username', '      username: postgres', { a: 1 }],
    ['scope', 'scope: main', ['a']],
    ['name', 'name: node1', { a: 'b' }],
  );

  test('is refused with file, line and key, however many lines stand before it', async () => {
    await fc.assert(
      fc.asyncProperty(wrong, fc.nat(20), async ([key, line, value], before) => {
        const spoilt = line.replace(/: .*$/, `: ${JSON.stringify(value)}`);
        const content = '# a comment\n'.repeat(before) + MINIMAL.replace(line, spoilt);
        const problems = await rawProblemsOf(content);
        const about = problems.find((problem) => problem.key.startsWith(key));
        expect(about?.origin).toMatchObject({
          kind: 'file',
          line: content.split('\n').indexOf(spoilt) + 1,
        });
        expect(formatProblem(about as NonNullable<typeof about>)).toContain('pgbaton.yml:');
      }),
      RUNS,
    );
  });
});

describe('a secret', () => {
  const SECRET = 'hunter2-is-never-shown';
  const content = MINIMAL.replace('super-word', SECRET)
    .replace('repl-word', SECRET)
    .replace('consul:\n', `consul:\n  token: ${SECRET}\n`);
  const noise = fc.constantFrom(
    '"',
    "'",
    '{',
    '[',
    ': ',
    '- ',
    '&a ',
    '*a ',
    '!!x ',
    '\t',
    '|',
    '#',
    '\n',
    'x',
  );

  test('is in no message about a configuration, wherever that was spoilt', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(content.length), noise), { minLength: 1, maxLength: 3 }),
        async (spots) => {
          const spoilt = spots.reduce(
            // The secret itself is left whole, or it could not be told from what is not one.
            (text, [at, put]) =>
              insideSecret(text, at, SECRET) ? text : text.slice(0, at) + put + text.slice(at),
            content,
          );
          const loaded = await loadConfig({ path: writeConfig(spoilt), environment: {} });
          const said = loaded.ok
            ? loaded.value.warnings
            : [...loaded.error.problems, ...loaded.error.warnings];
          expect(said.map(formatProblem).join('\n')).not.toContain(SECRET);
          expect(JSON.stringify(said)).not.toContain(SECRET);
        },
      ),
      { numRuns: 300 },
    );
  });

  function insideSecret(text: string, at: number, secret: string): boolean {
    const begin = text.lastIndexOf(secret, at);
    return begin >= 0 && at > begin && at < begin + secret.length;
  }
});
