import { describe, expect, test } from 'vitest';
import { variableKeys } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/problem.ts';
import { localConfigSchema } from '../../../src/wire/config/local.ts';
import { leafKeys } from '../../../src/wire/config/shape.ts';
import { MINIMAL, load, problemsOf, sourceOf, warningsOf } from './fixtures.ts';

describe('a variable of the environment', () => {
  test('goes before the file, and PGBATON_ before PATRONI_', async () => {
    const { config } = await load(MINIMAL, {
      PATRONI_NAME: 'patroni-name',
      PATRONI_SCOPE: 'patroni-scope',
      PGBATON_NAME: 'pgbaton-name',
    });
    expect([config.name, config.scope]).toEqual(['pgbaton-name', 'patroni-scope']);
  });

  test('that is empty is unset', async () => {
    const { config } = await load(MINIMAL, { PATRONI_NAME: '', PGBATON_SCOPE: '  ' });
    expect([config.name, config.scope]).toEqual(['node1', 'main']);
  });

  test('reads numbers, booleans, lists and mappings, with or without brackets', async () => {
    const source = await sourceOf(MINIMAL, {
      PATRONI_CONSUL_HOST: '10.0.0.7:8501,[::1]:8502',
      PATRONI_CONSUL_VERIFY: 'off',
      PATRONI_CONSUL_CHECKS: '[one, two]',
      PATRONI_CONSUL_SERVICE_TAGS: 'a, b',
      PATRONI_CONSUL_REGISTER_SERVICE: 'true',
      PATRONI_CONSUL_SERVICE_CHECK_INTERVAL: '7s',
      PATRONI_RESTAPI_HTTP_EXTRA_HEADERS: 'X-Frame-Options: deny, X-Num: 3',
      PATRONI_LOG_STATIC_FIELDS: '{app: patroni}',
      PATRONI_LOG_FILE_NUM: '9',
      PATRONI_LOG_MODE: '0640',
      PATRONI_LOGLEVEL: 'WARNING',
      PATRONI_POSTGRESQL_BIN_PG_CTL: 'pg_ctl15',
      PATRONI_REWIND_USERNAME: 'rewinder',
      PATRONI_SUPERUSER_SSLMODE: 'verify-full',
    });
    const { consul, restapi, log } = source.services();
    expect(consul.addresses).toEqual([
      { host: '10.0.0.7', port: 8501 },
      { host: '::1', port: 8502 },
    ]);
    expect(consul).toMatchObject({
      verify: false,
      checks: ['one', 'two'],
      serviceTags: ['a', 'b'],
      registerService: true,
      serviceCheckIntervalMillis: 7000,
    });
    expect(restapi.extraHeaders).toEqual({ 'X-Frame-Options': 'deny', 'X-Num': '3' });
    expect(log).toMatchObject({
      staticFields: { app: 'patroni' },
      fileCount: 9,
      fileMode: 0o640,
      level: 'warn',
    });
    const { postgres } = source.current();
    expect(postgres.binNames).toEqual({ pg_ctl: 'pg_ctl15' });
    expect(postgres.rewind.username).toBe('rewinder');
    expect(postgres.superuser.options).toEqual({ sslmode: 'verify-full' });
  });

  test('with a bad value is named', async () => {
    expect(
      await problemsOf(MINIMAL, {
        PATRONI_CONSUL_PORT: 'many',
        PGBATON_RESTAPI_LISTEN: 'x:y:z',
        PATRONI_LOG_LOGGERS: '{a',
      }),
    ).toEqual([
      'environment variable PATRONI_LOG_LOGGERS: log.loggers: expected a YAML mapping, found something else',
      'environment variable PGBATON_RESTAPI_LISTEN: restapi.listen: expected host:port to listen on, such as 0.0.0.0:8008, found "x:y:z"',
      'environment variable PATRONI_CONSUL_PORT: consul.port: expected a whole number from 1 to 65535, found "many"',
    ]);
  });

  test('that nobody reads is a warning when it looks like a setting', async () => {
    expect(
      await warningsOf(MINIMAL, {
        PATRONI_NAMESPAC: 'x',
        PATRONI_ADMIN_PASSWORD: 'hidden-word',
        PGBATON_RESTAPI_LISTN: 'x',
        PGBATON_CONFIG_FILE: '/x',
        PGBATON_USER: 'x',
        PGBATON_STATE_DIR: '/x',
        PGBATON_PG_BIN_DIR: '/x',
        PGBATON_CONSUL_BIN: '/x',
      }),
    ).toEqual([
      'environment variable PATRONI_NAMESPAC: unknown variable, it has no effect (did you mean PATRONI_NAMESPACE?)',
      'environment variable PATRONI_ADMIN_PASSWORD: unknown variable, it has no effect',
      'environment variable PGBATON_RESTAPI_LISTN: unknown variable, it has no effect (did you mean PGBATON_RESTAPI_LISTEN?)',
    ]);
  });

  test('of another store of Patroni is accepted and named as not honoured', async () => {
    const source = await sourceOf(MINIMAL, { PATRONI_ETCD3_HOSTS: 'a:1,b:2' });
    expect(source.current().notHonoured).toEqual(['etcd3']);
  });
});

const ALL: Readonly<Record<string, string>> = {
  PATRONI_SCOPE: 'main',
  PATRONI_NAME: 'node1',
  PATRONI_RESTAPI_LISTEN: '0.0.0.0:8008',
  PATRONI_RESTAPI_CONNECT_ADDRESS: '10.0.0.1:8008',
  PATRONI_CONSUL_HOST: 'consul:8500',
  PATRONI_POSTGRESQL_LISTEN: '0.0.0.0:5432',
  PATRONI_POSTGRESQL_CONNECT_ADDRESS: '10.0.0.1:5432',
  PATRONI_POSTGRESQL_DATA_DIR: '/data',
  PATRONI_SUPERUSER_USERNAME: 'postgres',
  PATRONI_REPLICATION_USERNAME: 'replicator',
};

test('the environment alone is enough', async () => {
  const loaded = await loadConfig({ path: undefined, environment: ALL });
  expect(loaded.ok && loaded.value.config.consul.host).toEqual(['consul:8500']);
});

test('PATRONI_CONFIGURATION holds all, and then no other variable is read', async () => {
  const environment = { ...ALL, PATRONI_CONFIGURATION: MINIMAL, PATRONI_NAME: 'other' };
  const loaded = await loadConfig({ path: undefined, environment });
  expect(loaded.ok && loaded.value.config.name).toBe('node1');
  const own = MINIMAL.replace('node1', 'own');
  const both = { ...environment, PGBATON_CONFIGURATION: own };
  const preferred = await loadConfig({ path: undefined, environment: both });
  expect(preferred.ok && preferred.value.config.name).toBe('own');
});

test('a mistake in PATRONI_CONFIGURATION is named with its line', async () => {
  const environment = { PATRONI_CONFIGURATION: MINIMAL.replace('/data', '[]') };
  const loaded = await loadConfig({ path: undefined, environment });
  expect(loaded.ok ? [] : loaded.error.problems.map(formatProblem)).toEqual([
    '$PATRONI_CONFIGURATION:11:3: postgresql.data_dir: expected a path, found an empty list',
  ]);
});

test('without any source the message says how to name one', async () => {
  const loaded = await loadConfig({ path: undefined, environment: { HOME: '/root' } });
  expect(loaded.ok ? [] : loaded.error.problems.map(formatProblem)).toEqual([
    'there is no configuration: no file is named and no PATRONI_ or PGBATON_ variable is set (name a file: pgbaton agent /etc/pgbaton/pgbaton.yml)',
  ]);
});

test('every variable gives a key that the schema knows', () => {
  const known = leafKeys(localConfigSchema);
  const unknown = Object.entries(variableKeys()).filter(([, key]) => !known.includes(key));
  expect(unknown).toEqual([]);
});
