import { describe, expect, it } from 'vitest';
import { lsn } from '../../../src/core/lsn.ts';
import { parseVersion } from '../../../src/adapters/postgres/binaries.ts';
import { complainedParameters } from '../../../src/adapters/postgres/configuration.ts';
import {
  formatConninfo,
  formatPassfile,
  localAddress,
} from '../../../src/adapters/postgres/conninfo.ts';
import { divergencePoint } from '../../../src/adapters/postgres/diverged-wal.ts';
import { roleStatement } from '../../../src/adapters/postgres/finish-bootstrap.ts';
import {
  authenticationOptions,
  memberHbaLines,
} from '../../../src/adapters/postgres/initialise.ts';
import {
  fileParameters,
  isRaised,
  ownedParameters,
  quoteGuc,
  raiseToLimits,
  stripAutoConf,
} from '../../../src/adapters/postgres/parameters.ts';
import { pendingRestart } from '../../../src/adapters/postgres/probe.ts';
import { scramVerifier } from '../../../src/adapters/postgres/scram.ts';
import { fileTimestamp } from '../../../src/adapters/postgres/set-aside.ts';
import { Secret } from '../../../src/core/secret.ts';
import { settingsFor } from '../../harness/postgres-server.ts';

const settings = settingsFor('/data', 5433);
const LIMITS = {
  max_connections: 200,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

describe('parameters of the command line', () => {
  it('have defaults and least values, and start nothing by themselves after a crash', () => {
    const owned = ownedParameters(
      settingsFor('/data', 5433, {
        clusterParameters: { max_connections: 3, wal_level: 'minimal' },
      }),
      'main',
    );
    expect(owned).toEqual({
      listen_addresses: '127.0.0.1',
      port: '5433',
      cluster_name: 'main',
      hot_standby: 'on',
      wal_level: 'replica',
      wal_log_hints: 'on',
      track_commit_timestamp: 'off',
      max_connections: '25',
      max_wal_senders: '10',
      max_prepared_transactions: '0',
      max_locks_per_transaction: '64',
      max_replication_slots: '10',
      max_worker_processes: '8',
      restart_after_crash: 'off',
    });
  });

  it('are raised to what the former primary had, and no further', () => {
    const owned = ownedParameters(settings, 'main');
    expect(raiseToLimits(owned, LIMITS)).toEqual({ ...owned, max_connections: '200' });
    expect(isRaised(owned, LIMITS)).toBe(true);
    expect(isRaised(owned, { ...LIMITS, max_connections: 20 })).toBe(false);
  });
});

describe('parameters of the file', () => {
  it('never promote, point elsewhere or undo the guard', () => {
    const dangerous = {
      promote_trigger_file: '/tmp/x',
      recovery_target_action: 'promote',
      recovery_target_time: 'now',
      primary_conninfo: 'host=x',
      restart_after_crash: true,
      hot_standby: false,
      hba_file: '/etc/hba',
      "x' include": 'y',
    };
    const { accepted, refused } = fileParameters(
      settingsFor('/data', 1, {
        parameters: { ...dangerous, work_mem: '4MB' },
        recoveryConf: {
          restore_command: 'cp %f %p',
          recovery_target: 'immediate',
          standby_mode: 'on',
        },
        clusterParameters: { wal_keep_size: '1GB', max_connections: 5 },
      }),
    );
    expect(accepted).toEqual({
      work_mem: '4MB',
      wal_keep_size: '1GB',
      wal_retrieve_retry_interval: '500ms',
      recovery_target_timeline: 'latest',
      restore_command: 'cp %f %p',
    });
    expect(refused).toEqual(
      expect.arrayContaining(['promote_trigger_file', 'recovery_target', 'hot_standby']),
    );
  });

  it.each([
    ["it's", "'it''s'"],
    ['C:\\x', "'C:\\\\x'"],
    [true, "'on'"],
    [17, "'17'"],
    ['a\nb', "'a\\nb'"],
  ])('are quoted: %j', (value, text) => {
    expect(quoteGuc(value)).toBe(text);
  });

  it('are stripped from postgresql.auto.conf where they would override ours', () => {
    const text =
      "# Do not edit\nwork_mem = '4MB'\nPrimary_Conninfo = 'host=x'\nrecovery_target='immediate'\nhba_file = 'x'\n";
    expect(stripAutoConf(text)).toBe("# Do not edit\nwork_mem = '4MB'\n");
  });

  it('that the server complains of are recognised', () => {
    const stderr = `LOG:  unrecognized configuration parameter "foo" in file "x" line 3
LOG:  invalid value for parameter "work_mem": "much"
HINT:  Valid units for this parameter are "B".
LOG:  1 is outside the valid range for parameter "port" (2 .. 3)
FATAL:  configuration file "x" contains errors`;
    expect(complainedParameters(stderr)).toEqual(['foo', 'work_mem', 'port']);
  });
});

describe('pending restarts', () => {
  it('are owned ones that differ, and what the server says, but not what differs on purpose', () => {
    const row = (name: string, setting: string, pending: boolean, configured: string | null) => ({
      name,
      setting,
      pending,
      configured,
    });
    expect(
      pendingRestart(
        [
          row('max_connections', '100', false, null),
          row('port', '5432', false, null),
          row('shared_buffers', '16384', true, '256MB'),
          row('hba_file', 'a', true, 'b'),
        ],
        { max_connections: '50', port: '5432' },
      ),
    ).toEqual({ max_connections: ['100', '50'], shared_buffers: ['16384', '256MB'] });
  });
});

describe('connections', () => {
  it('quote what libpq would misread', () => {
    expect(formatConninfo({ host: 'h', user: "o'neil \\" })).toBe("host='h' user='o\\'neil \\\\'");
  });

  it('have a password file in which nothing is a wildcard by accident', () => {
    const secret = { username: 'a:b', password: new Secret('p:\\w'), options: {} };
    const star = { username: '*', password: new Secret('*'), options: {} };
    const none = { username: 'peer', password: undefined, options: {} };
    const text = formatPassfile({
      ...settings,
      superuser: secret,
      replication: star,
      rewind: none,
    });
    expect(text).toBe('*:*:*:a\\:b:p\\:\\\\w\n*:*:*:\\*:\\*\n');
  });

  it.each([
    ['*', '127.0.0.1'],
    ['10.0.0.1, 127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['10.0.0.1', '10.0.0.1'],
    ['', '127.0.0.1'],
  ])('reach the own server that listens on %j', (listen, address) => {
    expect(localAddress(listen)).toBe(address);
  });
});

describe('roles', () => {
  it('get a verifier instead of the password, as PostgreSQL would make it', () => {
    // Salt, password and keys of the example in RFC 7677.
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    expect(scramVerifier('pencil', salt)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
    expect(scramVerifier('pässword')).toBeUndefined();
  });

  it('are altered when they exist, and keep their password when none is configured', () => {
    const role = { username: 'weird "name"', password: undefined, options: {} };
    expect(roleStatement(role, 'LOGIN', true)).toBe('ALTER ROLE "weird ""name""" WITH LOGIN');
    const withPassword = { ...role, password: new Secret('secret') };
    const statement = roleStatement(withPassword, 'LOGIN REPLICATION', false);
    expect(statement).toMatch(
      /^CREATE ROLE "weird ""name""" WITH LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256\$4096:/,
    );
    expect(statement).not.toContain("'secret'");
    expect(roleStatement({ ...role, password: new Secret('') }, 'LOGIN', true)).not.toContain(
      'PASSWORD',
    );
  });

  it('are let in by a pg_hba.conf that nobody configured', () => {
    const lines = memberHbaLines(settings);
    expect(lines).toContain('host replication "replicator" all scram-sha-256\n');
    expect(lines).toContain('host all "postgres" all scram-sha-256\n');
  });

  it.each([
    ['like the user of the system', 'postgres', true, 'peer'],
    ['otherwise', 'admin', true, 'scram-sha-256'],
    ['otherwise, without a password', 'admin', false, 'trust'],
  ])('named %s log in through the socket', (_, username, hasPassword, method) => {
    const superuser = {
      username,
      password: hasPassword ? new Secret('x') : undefined,
      options: {},
    };
    expect(authenticationOptions({ ...settings, superuser }, [], 'postgres')).toEqual([
      '--auth-host=scram-sha-256',
      `--auth-local=${method}`,
    ]);
    expect(authenticationOptions(settings, ['--auth=trust'], 'postgres')).toEqual([]);
  });
});

describe('where two histories part', () => {
  const at = (parent: number, position: bigint) => ({
    parent,
    switchLsn: lsn(position),
    reason: '',
  });

  it.each([
    [
      'the source left our timeline',
      { timeline: 1, switches: [] },
      2,
      [at(1, 100n)],
      { timeline: 1, lsn: 100n },
    ],
    [
      'both left a common one',
      { timeline: 2, switches: [at(1, 90n)] },
      3,
      [at(1, 100n)],
      { timeline: 1, lsn: 90n },
    ],
    [
      'we left the one it is on',
      { timeline: 3, switches: [at(1, 50n), at(2, 90n)] },
      2,
      [at(1, 50n)],
      { timeline: 2, lsn: 90n },
    ],
    ['it is on ours', { timeline: 2, switches: [at(1, 50n)] }, 2, [at(1, 50n)], undefined],
    ['nothing is shared', { timeline: 7, switches: [] }, 2, [at(1, 50n)], undefined],
  ])('is found when %s', (_, own, timeline, switches, expected) => {
    expect(divergencePoint(own, { systemIdentifier: '1', timeline, switches })).toEqual(expected);
  });
});

describe('names and versions', () => {
  it('of directories set aside sort by time', () => {
    expect(fileTimestamp(0)).toBe('19700101T000000000Z');
  });

  it.each([
    ['postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', 150_018],
    ['postgres (PostgreSQL) 18beta1', 180_000],
    ['something else', undefined],
  ])('of servers are read: %s', (text, version) => {
    expect(parseVersion(text)).toBe(version);
  });
});
