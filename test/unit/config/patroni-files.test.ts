import { expect, test } from 'vitest';
import { sourceOf } from './fixtures.ts';

/** As operators of Patroni write it: YAML 1.1, quoted numbers, empty sections, long-hand options. */
const PATRONI = `scope: batman
#namespace: /service/
name: postgresql0

restapi:
  listen: 127.0.0.1:8008
  connect_address: 127.0.0.1:8008
  #certfile: /etc/ssl/certs/ssl-cert-snakeoil.pem
  authentication:
    username: username
    password: password

consul:
  host: 127.0.0.1:8500
  checks: []
  register_service: false

log:
  level: INFO
  dir:
  file_num: '4'

bootstrap:
  dcs:
    ttl: 30
    loop_wait: 10
    retry_timeout: 10
    maximum_lag_on_failover: 1048576
    synchronous_mode: off
    #standby_cluster:
    postgresql:
      use_pg_rewind: true
      pg_hba:
      - host replication replicator 127.0.0.1/32 md5
      - host all all 0.0.0.0/0 md5
      parameters:
        wal_level: hot_standby
        hot_standby: "on"
        max_connections: '150'
        max_wal_senders: 10
        wal_log_hints: "on"
        archive_mode: "on"
        archive_timeout: 1800s
        archive_command: mkdir -p ../wal_archive && test ! -f ../wal_archive/%f && cp %p ../wal_archive/%f
      recovery_conf:
        restore_command: cp ../wal_archive/%f %p
  method: initdb
  initdb:
  - encoding: UTF8
  - data-checksums
  post_init: /usr/local/bin/setup_cluster.sh

postgresql:
  listen: "127.0.0.1,::1:5432"
  connect_address: 127.0.0.1:5432
  data_dir: data/postgresql0
  bin_dir: ''
  pgpass: /tmp/pgpass0
  authentication:
    replication:
      username: replicator
      password: rep-pass
    superuser:
      username: postgres
      password: 12345
    rewind:
      username: rewind_user
      password: rewind_password
  basebackup:
    - verbose
    - max-rate: '100M'
    - checkpoint: fast
  parameters:
    unix_socket_directories: '..'
    log_line_prefix: '%m [%p] '
  callbacks:

watchdog:
  mode: off

tags:
    nofailover: false
    noloadbalance: false
    clonefrom: false
    nosync: false
    nostream: false
`;

test("a file of Patroni's works as it is, with nothing to complain of", async () => {
  const source = await sourceOf(PATRONI);
  const { member, policy, postgres, bootstrap, warnings, notHonoured } = source.current();
  expect({ warnings, notHonoured }).toEqual({ warnings: [], notHonoured: [] });
  expect(member.tags.published).toEqual({});
  expect(policy.timing).toMatchObject({ ttlMillis: 30_000, loopWaitMillis: 10_000 });
  expect(policy.usePgRewind).toBe(true);
  expect(bootstrap?.initdbOptions).toEqual(['--encoding=UTF8', '--data-checksums']);
  expect(postgres).toMatchObject({
    listenAddresses: '127.0.0.1,::1',
    port: 5432,
    dataDir: `${process.cwd()}/data/postgresql0`,
    binDir: undefined,
    unixSocketDirectories: '..',
    recoveryConf: { restore_command: 'cp ../wal_archive/%f %p' },
    basebackupOptions: ['--verbose', '--max-rate=100M', '--checkpoint=fast'],
    clusterParameters: { wal_level: 'replica', max_connections: '150' },
  });
  expect(postgres.superuser.password?.reveal()).toBe('12345');
});

test('settings of the file are its own: the variables may be taken from the process afterwards', async () => {
  const environment: Record<string, string> = { PATRONI_NAME: 'from-variable' };
  const source = await sourceOf(PATRONI, environment);
  delete environment['PATRONI_NAME'];
  const reloaded = await source.reload();
  expect(reloaded.ok && reloaded.value.member.name).toBe('from-variable');
  expect(source.current().warnings).toEqual([]);
});
