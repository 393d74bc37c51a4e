import { describe, expect, test } from 'vitest';
import type { SettingsSource } from '../../../src/ports/settings-source.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Settings } from '../../../src/core/settings.ts';
import { MINIMAL, sourceOf } from './fixtures.ts';

/** Settings of a local and a dynamic configuration together. */
async function settingsOf(local: string, dynamic: JsonObject = {}): Promise<Settings> {
  const source: SettingsSource = await sourceOf(local);
  return source.applyDynamic(dynamic);
}

const POSTGRESQL = (lines: string): string => `${MINIMAL}${lines.replace(/^/gm, '  ')}\n`;

describe('parameters', () => {
  test('of the member go over those of the cluster, in any case of letters', async () => {
    const { postgres, warnings } = await settingsOf(
      POSTGRESQL('parameters: {Work_Mem: 8MB, log_connections: on}'),
      { postgresql: { parameters: { work_mem: '4MB', Shared_Buffers: '1GB' } } },
    );
    expect(postgres.parameters).toEqual({
      Work_Mem: '8MB',
      Shared_Buffers: '1GB',
      log_connections: true,
      wal_keep_size: '128MB',
    });
    expect(warnings).toEqual([]);
  });

  test('that are cluster-wide come from the dynamic configuration only', async () => {
    const { postgres, warnings } = await settingsOf(
      POSTGRESQL('parameters: {max_connections: 500, wal_level: logical, WAL_keep_size: 1GB}'),
      { postgresql: { parameters: { Max_Connections: '300', wal_keep_size: '2GB' } } },
    );
    expect(postgres.clusterParameters).toEqual({
      max_connections: '300',
      max_wal_senders: 10,
      max_prepared_transactions: 0,
      max_locks_per_transaction: 64,
      max_replication_slots: 10,
      max_worker_processes: 8,
      track_commit_timestamp: 'off',
      wal_log_hints: 'on',
      wal_level: 'replica',
    });
    expect(postgres.parameters).toEqual({ wal_keep_size: '2GB' });
    expect(warnings).toEqual(
      ['max_connections', 'wal_level', 'WAL_keep_size'].map(
        (name) =>
          `postgresql.parameters.${name}: has no effect here: it is the same on all members and belongs to the dynamic configuration (pgbaton edit-config)`,
      ),
    );
  });

  test('below their minimum keep the default, with a warning', async () => {
    const { postgres, warnings } = await settingsOf(MINIMAL, {
      postgresql: {
        parameters: { max_connections: 5, wal_level: 'minimal', max_wal_senders: 'x' },
      },
    });
    expect(postgres.clusterParameters).toMatchObject({
      max_connections: 100,
      wal_level: 'replica',
      max_wal_senders: 10,
    });
    expect(warnings).toEqual([
      'dynamic configuration: postgresql.parameters.max_connections: expected a whole number of at least 25, found 5: left out, the default holds',
      'dynamic configuration: postgresql.parameters.wal_level: expected replica or logical, found "minimal": left out, the default holds',
      'dynamic configuration: postgresql.parameters.max_wal_senders: expected a whole number of at least 3, found "x": left out, the default holds',
    ]);
  });

  test('that pgbaton sets itself have no effect and are named', async () => {
    const { postgres, warnings } = await settingsOf(
      POSTGRESQL(
        'parameters: {port: 1, Listen_Addresses: x, primary_conninfo: x, hot_standby: on, recovery_target_time: x}',
      ),
    );
    expect(postgres.parameters).toEqual({ wal_keep_size: '128MB' });
    expect(warnings).toEqual([
      'postgresql.parameters.port: has no effect: set postgresql.listen instead',
      'postgresql.parameters.Listen_Addresses: has no effect: set postgresql.listen instead',
      'postgresql.parameters.primary_conninfo: has no effect: pgbaton points every standby at its upstream',
      'postgresql: recovery_target_time has no effect: a standby follows to the end of the log',
    ]);
  });

  test('of recovery may stand among the others, recovery_conf goes over them', async () => {
    const { postgres } = await settingsOf(
      POSTGRESQL(
        'parameters: {restore_command: "a %f", archive_cleanup_command: b}\nrecovery_conf: {restore_command: "c %f", recovery_target_timeline: latest}',
      ),
    );
    expect(postgres.recoveryConf).toEqual({
      restore_command: 'c %f',
      archive_cleanup_command: 'b',
    });
    expect(postgres.parameters).toEqual({ wal_keep_size: '128MB' });
  });

  test('wal_keep_segments becomes the size that replaced it', async () => {
    const { postgres, warnings } = await settingsOf(MINIMAL, {
      postgresql: { parameters: { wal_keep_segments: 32 } },
    });
    expect(postgres.parameters).toEqual({ wal_keep_size: '512MB' });
    expect(warnings).toEqual([
      'postgresql.parameters.wal_keep_segments: taken as wal_keep_size 512MB',
    ]);
  });

  test('an empty text is a value of a parameter', async () => {
    const { postgres } = await settingsOf(POSTGRESQL("parameters: {archive_command: ''}"));
    expect(postgres.parameters).toMatchObject({ archive_command: '' });
  });
});

describe('the other keys of postgresql', () => {
  test('are replaced by the local configuration as a whole', async () => {
    const { postgres, policy } = await settingsOf(
      POSTGRESQL(
        'pg_hba: [mine]\ncallbacks: {on_start: a}\nuse_pg_rewind: off\nbasebackup: [verbose]',
      ),
      {
        postgresql: {
          pg_hba: ['theirs', 'more'],
          pg_ident: ['ident'],
          callbacks: { on_stop: 'b' },
          use_pg_rewind: true,
          remove_data_directory_on_rewind_failure: 'yes',
          pg_ctl_timeout: '2min',
          database: 'app',
        },
      },
    );
    expect(postgres).toMatchObject({
      pgHba: ['mine'],
      pgIdent: ['ident'],
      callbacks: { on_start: 'a' },
      basebackupOptions: ['--verbose'],
      pgCtlTimeoutMillis: 120_000,
      database: 'app',
    });
    expect(policy).toMatchObject({
      usePgRewind: false,
      recloneOnRewindFailure: true,
      recloneOnDivergence: false,
    });
  });

  test('that name one host have no effect in the dynamic configuration', async () => {
    const { postgres, member, warnings } = await settingsOf(MINIMAL, {
      postgresql: {
        listen: '9.9.9.9:1',
        connect_address: '9.9.9.9:1',
        data_dir: '/x',
        pgpass: '/p',
      },
    });
    expect(postgres).toMatchObject({ listenAddresses: '0.0.0.0', port: 5432, dataDir: '/data' });
    expect(member.connUrl).toBe('postgres://10.0.0.1:5432/postgres');
    expect(warnings).toHaveLength(4);
  });

  test('use_slots is cluster-wide', async () => {
    const { policy, warnings } = await settingsOf(POSTGRESQL('use_slots: off'));
    expect(policy.useSlots).toBe(true);
    expect(warnings).toEqual([
      'postgresql.use_slots: has no effect here: it belongs to the dynamic configuration',
    ]);
    expect((await settingsOf(MINIMAL, { postgresql: { use_slots: false } })).policy.useSlots).toBe(
      false,
    );
  });

  test('replica methods come in their order with their parameters', async () => {
    const { postgres, warnings } = await settingsOf(
      POSTGRESQL(
        'create_replica_methods: [backrest, missing, basebackup]\nbackrest: {command: pgbackrest, keep_data: on, no_master: on, stanza: main, jobs: 4, delta: true}',
      ),
    );
    expect(postgres.replicaMethods).toEqual([
      {
        name: 'backrest',
        command: 'pgbackrest',
        noParams: false,
        keepData: true,
        noLeader: true,
        parameters: { stanza: 'main', jobs: '4', delta: 'true' },
      },
      'basebackup',
    ]);
    expect(warnings).toEqual([
      'postgresql.create_replica_methods: "missing" is left out: there is no section postgresql.missing with a command',
    ]);
  });

  test('a replica method may be defined by the cluster', async () => {
    const { postgres } = await settingsOf(MINIMAL, {
      postgresql: { create_replica_methods: ['wal_g'], wal_g: { command: 'wal-g', no_params: 1 } },
    });
    expect(postgres.replicaMethods).toMatchObject([{ name: 'wal_g', noParams: true }]);
  });
});

test('a member publishes its addresses; with a certificate its API is https', async () => {
  const content = MINIMAL.replace('10.0.0.1:8008', '"[fd00::1]:8009"\n  certfile: /c')
    .replace(
      'connect_address: 10.0.0.1:5432',
      'connect_address: db1\n  proxy_address: 10.0.0.1:6432',
    )
    .replace('scope:', 'namespace: /my/ns/\nscope:');
  const { member } = await settingsOf(content);
  expect(member).toMatchObject({
    namespace: 'my/ns',
    apiUrl: 'https://[fd00::1]:8009/patroni',
    connUrl: 'postgres://db1:5432/postgres',
    proxyUrl: 'postgres://10.0.0.1:6432/postgres',
  });
});

describe('bootstrap', () => {
  test('without its section the member never starts a new cluster', async () => {
    expect((await settingsOf(MINIMAL)).bootstrap).toBeUndefined();
    expect((await settingsOf(`${MINIMAL}bootstrap: {}\n`)).bootstrap).toBeDefined();
  });

  test('dcs is handed on as written, without what names one host', async () => {
    const { bootstrap } = await settingsOf(`${MINIMAL}bootstrap:
  initdb: [data-checksums]
  post_init: /bin/true
  pg_hba: [one]
  dcs:
    ttl: 30
    slots:
    custom: {a: 1}
    postgresql: {data_dir: /x, use_pg_rewind: on, parameters: {a: ''}}
`);
    expect(bootstrap).toEqual({
      initdbOptions: ['--data-checksums'],
      custom: undefined,
      postBootstrap: '/bin/true',
      pgHba: ['one'],
      dynamic: {
        ttl: 30,
        custom: { a: 1 },
        postgresql: { use_pg_rewind: true, parameters: { a: '' } },
      },
    });
  });

  test('a method of the operator replaces initdb', async () => {
    const { bootstrap } = await settingsOf(
      `${MINIMAL}bootstrap: {method: pitr, pitr: {command: /bin/pitr, target: now}, initdb: [a]}\n`,
    );
    expect(bootstrap?.custom).toMatchObject({
      name: 'pitr',
      command: '/bin/pitr',
      parameters: { target: 'now' },
    });
  });
});
