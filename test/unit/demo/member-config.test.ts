import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { createSettingsSource } from '../../../src/config/resolve.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { ClusterShape } from '../../../src/demo/member-config.ts';
import { memberConfig, mergeConfig, randomLogins } from '../../../src/demo/member-config.ts';
import { RunDirectory } from '../../../src/demo/run-directory.ts';

const run = new RunDirectory('unit');
afterAll(() => {
  run.remove();
});

const shape: ClusterShape = {
  scope: 'demo',
  consulAddresses: ['127.0.0.1:8500', '127.0.0.1:8501'],
  consulToken: new Secret('token'),
  pgBinDir: '/usr/lib/postgresql/15/bin',
  logins: randomLogins(),
  dynamic: { ttl: 4, postgresql: { use_pg_rewind: false } },
  local: (member) => ({ tags: { nofailover: member === 'pg3' } }),
};
const place = {
  name: 'pg3',
  address: '127.0.0.1',
  clients: '127.0.0.1/32',
  dataDir: '/data',
  pgpass: '/pgpass',
  restPort: 8008,
  postgresPort: 5432,
};

describe('the configuration of a local member', () => {
  it('is accepted by the agent without a warning', async () => {
    const file = join(run.path, 'pgbaton.yml');
    writeFileSync(file, stringify(memberConfig(shape, place)));
    const source = await createSettingsSource({ path: file, environment: {} });
    if (!source.ok) throw new Error(source.error.message);
    const settings = source.value.current();
    expect(settings.warnings).toEqual([]);
    expect(settings.notHonoured).toEqual([]);
    expect(settings.policy.timing.ttlMillis).toBe(4_000);
    expect(source.value.services().consul.addresses).toHaveLength(2);
  });

  it('takes the overrides of the cluster and of the member', () => {
    const config = memberConfig(shape, place);
    expect(config['tags']).toEqual({ nofailover: true });
    expect(config['bootstrap']).toMatchObject({
      dcs: { ttl: 4, postgresql: { use_pg_rewind: false, use_slots: true } },
    });
  });

  it('has other passwords in every run', () => {
    expect(randomLogins().superuser.password.equals(shape.logins.superuser.password)).toBe(false);
  });
});

describe('laying one configuration over another', () => {
  it('merges objects by key, replaces lists and values, and removes what is null', () => {
    expect(
      mergeConfig(
        { keep: 1, list: [1, 2], deep: { a: 1, b: 2 }, gone: true },
        { list: [3], deep: { b: 3 }, gone: null },
      ),
    ).toEqual({ keep: 1, list: [3], deep: { a: 1, b: 3 } });
  });
});
