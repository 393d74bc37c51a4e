import { resolve } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { JsonObject } from '../../../src/core/json.ts';
import { readYaml } from '../../../src/config/read-yaml.ts';
import { sourceOf } from './fixtures.ts';

const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,12}$/);
const password = fc.string({ minLength: 1, maxLength: 24, unit: 'grapheme-composite' });
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(
  fc.ipV4().filter((address) => address !== '0.0.0.0'),
  fc.ipV6().filter((address) => address !== '::'),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,10}\.example$/),
);
const address = fc.record({ host, port });
const written = ({ host, port }: { host: string; port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
const gucName = fc.stringMatching(/^x_[a-z_]{1,12}$/);
const guc = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const role = fc.record({ username: word, password });

const member = fc.record({
  scope: word,
  name: word,
  rest: address,
  postgres: address,
  consul: fc.array(address, { minLength: 1, maxLength: 3 }),
  roles: fc.record({ superuser: role, replication: role, rewind: role }),
  parameters: fc.dictionary(gucName, guc),
  pgHba: fc.array(fc.string()),
  nofailover: fc.boolean(),
  ttl: fc.integer({ min: 3, max: 3600 }),
  dataDir: fc.stringMatching(/^\/[A-Za-z0-9/_ -]{1,20}$/),
});

type Member = typeof member extends fc.Arbitrary<infer T> ? T : never;

const toConfig = (given: Member): JsonObject => ({
  scope: given.scope,
  name: given.name,
  restapi: { listen: `0.0.0.0:${given.rest.port}`, connect_address: written(given.rest) },
  consul: { host: given.consul.map(written) },
  postgresql: {
    listen: `${written({ ...given.postgres, port: 1 }).replace(/:1$/, '')}:${given.postgres.port}`,
    connect_address: written(given.postgres),
    data_dir: given.dataDir,
    authentication: given.roles,
    parameters: given.parameters,
    pg_hba: given.pgHba,
  },
  tags: { nofailover: given.nofailover },
  bootstrap: { dcs: { ttl: given.ttl } },
});

test('a configuration written as YAML comes back as it was meant', async () => {
  await fc.assert(
    fc.asyncProperty(member, async (given) => {
      const yaml = stringify(toConfig(given), { version: '1.1' });
      const source = await sourceOf(yaml);
      const { member, postgres, policy, warnings } = source.current();
      expect(warnings).toEqual([]);
      expect([member.scope, member.name]).toEqual([given.scope, given.name]);
      expect(source.services().consul.addresses).toEqual(given.consul);
      expect([postgres.connectHost, postgres.connectPort]).toEqual([
        given.postgres.host,
        given.postgres.port,
      ]);
      expect([postgres.listenAddresses, postgres.port]).toEqual([
        given.postgres.host,
        given.postgres.port,
      ]);
      expect(postgres.dataDir).toBe(resolve(given.dataDir));
      for (const name of ['superuser', 'replication', 'rewind'] as const) {
        expect(postgres[name].username).toBe(given.roles[name].username);
        expect(postgres[name].password?.reveal()).toBe(given.roles[name].password);
      }
      expect(postgres.parameters).toEqual({ ...given.parameters, wal_keep_size: '128MB' });
      expect(postgres.pgHba).toEqual(given.pgHba);
      expect(member.tags.nofailover).toBe(given.nofailover);
      expect(policy.timing.ttlMillis).toBe(given.ttl * 1000);
    }),
    { numRuns: 60 },
  );
});

test('no text makes the reader throw', () => {
  const fragments = [
    'a: ',
    '- ',
    '[',
    '{',
    '"',
    '*x',
    '&x ',
    '!!set ',
    '<<: ',
    '\t',
    '\n',
    '? ',
    '---\n',
    '|\n',
    '0',
    ': ',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 4 })));
  fc.assert(
    fc.property(text, (parts) => {
      const { layer, problems } = readYaml(parts.join(''), 'x.yml');
      expect(typeof layer.tree).toBe('object');
      for (const { origin } of problems) expect(origin?.kind).toBe('file');
    }),
    { numRuns: 500 },
  );
});

test('no dynamic configuration makes the agent throw, nor leaves a timing that cannot work', async () => {
  const source = await sourceOf(
    stringify(toConfig(fc.sample(member, { numRuns: 1, seed: 1 })[0]!)),
  );
  const keys = fc.constantFrom(
    'ttl',
    'heartbeat',
    'fence_budget',
    'retry_timeout',
    'postgresql',
    'slots',
    'parameters',
    'pg_hba',
    'max_connections',
    '__proto__',
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(keys, tie('json'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(keys, json), (dynamic) => {
      const { policy } = source.applyDynamic(dynamic as JsonObject);
      const { ttlMillis, heartbeatMillis, fenceBudgetMillis } = policy.timing;
      expect(ttlMillis).toBeGreaterThanOrEqual(3 * heartbeatMillis + 2 * fenceBudgetMillis);
      source.validateDynamic(dynamic as JsonObject);
    }),
    { numRuns: 500 },
  );
});
