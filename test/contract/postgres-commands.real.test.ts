import { chmod, mkdir, readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import {
  BOOTSTRAP,
  PG_BIN,
  TestCluster,
  expectOk,
  job,
  until,
} from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
becomePostgresUser(owner).close();

const custom = (name: string, command: string, more = {}) => ({
  name,
  command,
  noParams: false,
  keepData: false,
  noLeader: false,
  parameters: {},
  ...more,
});

async function script(path: string, text: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

describe('commands of the operator', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    const hook = await script(
      join(cluster.root, 'post-bootstrap'),
      `psql -Xq -d "$1" -c 'CREATE TABLE from_hook (n int)'`,
    );
    await primary.bootstrap({ ...BOOTSTRAP, postBootstrap: hook });
  });
  afterAll(() => cluster.close());

  it('finish a new cluster with a connection that needs no password', async () => {
    expect(await primary.sql('SELECT count(*) FROM from_hook')).toBe('0');
  });

  it('are ended with all they started when they take too long', async () => {
    const pidFile = join(cluster.root, 'hook.pid');
    const startedAt = systemClock.now();
    const command = `sleep 60 & echo $! > ${pidFile}; wait; true`;
    const answer = await primary.postgres.runHook(command, ['a b'], 2000);
    expect(answer).toMatchObject({ ok: false, error: { code: 'postgres-hook-failed' } });
    expect(systemClock.now() - startedAt).toBeLessThan(10_000);
    const pid = Number(await readFile(pidFile, 'utf8'));
    await until('sleep gone', () => {
      try {
        process.kill(pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
  });

  it('get their arguments as they are', async () => {
    const file = join(cluster.root, 'arguments');
    const hook = await script(join(cluster.root, 'hook'), `printf '%s|' "$@" > ${file}`);
    expectOk(
      await primary.postgres.runHook(`${hook} 'first one'`, ['on_start', '$(id) "q"'], 5000),
    );
    expect(await readFile(file, 'utf8')).toBe('first one|on_start|$(id) "q"|');
  });

  it('make a new cluster and a replica, with the arguments that Patroni gives', async () => {
    const file = join(cluster.root, 'method-arguments');
    const make = await script(
      join(cluster.root, 'make-replica'),
      `for a in "$@"; do case "$a" in --datadir=*) d="\${a#*=}";; --connstring=*) c="\${a#*=}";; esac; done
printf '%s\\n' "$@" > ${file}
${PG_BIN}/pg_basebackup -D "$d" -d "$c" -X stream -c fast`,
    );
    const member = await cluster.member('gamma', {
      replicaMethods: [
        custom('broken', 'false'),
        custom('script', make, { parameters: { extra: 'x y' } }),
      ],
    });
    const target = { upstream: primary.upstream(), slotName: undefined };
    expectOk(await member.postgres.clone(primary.upstream(), target, job()));
    const given = await readFile(file, 'utf8');
    expect(given).toContain(
      `--scope=test\n--role=replica\n--datadir=${member.dataDir}\n--connstring=`,
    );
    expect(given).toContain('--extra=x y\n');
    await member.start(target);
    await member.streaming();
  });

  it('that fail leave nothing half-made, and their end is told', async () => {
    const member = await cluster.member('delta', {
      replicaMethods: [
        custom(
          'half',
          `sh -c 'for a in "$@"; do case "$a" in --datadir=*) mkdir -p "\${a#*=}"/base;; esac; done; echo why >&2; exit 3' x`,
        ),
      ],
    });
    const target = { upstream: primary.upstream(), slotName: undefined };
    const made = await member.postgres.clone(primary.upstream(), target, job());
    expect(made).toMatchObject({ ok: false, error: { message: expect.stringContaining('why') } });
    expect(await member.postgres.inspectDataDirectory()).toEqual({ kind: 'absent' });
  });

  it('that keep the data find them as they were, and give way to the next method', async () => {
    const member = await cluster.member('keeping');
    expectOk(await member.postgres.initialise(BOOTSTRAP, job()));
    const seen = join(cluster.root, 'kept');
    const command = `ls ${member.dataDir} > ${seen}; false`;
    member.configure({
      replicaMethods: [custom('delta', command, { keepData: true }), 'basebackup'],
    });
    const target = { upstream: primary.upstream(), slotName: undefined };
    expectOk(await member.postgres.clone(primary.upstream(), target, job()));
    expect(await readFile(seen, 'utf8')).toContain('PG_VERSION');
    expect(await member.postgres.inspectDataDirectory()).toMatchObject({ kind: 'cluster' });
    const names = await readdir(cluster.root);
    expect(names.filter((name) => name.startsWith('keeping.aside-'))).toHaveLength(1);
  });

  it('can make the new cluster themselves', async () => {
    const member = await cluster.member('own');
    const make = await script(
      join(cluster.root, 'make-cluster'),
      `for a in "$@"; do case "$a" in --datadir=*) d="\${a#*=}";; esac; done
${PG_BIN}/initdb -D "$d" -A trust -U postgres --no-sync`,
    );
    await member.bootstrap({ ...BOOTSTRAP, custom: custom('make-cluster', make) });
    expect(
      await member.sql("SELECT count(*) FROM pg_roles WHERE rolname IN ('replicator', 'rewinder')"),
    ).toBe('2');
    const passwords = await member.sql(
      'SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolpassword IS NOT NULL',
    );
    expect(passwords).toBe('SCRAM-SHA-256$');
  });
});

describe('directories outside of the data directory', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.create();
  });
  afterAll(() => cluster.close());

  it('for WAL, tablespaces and configuration survive a clone over them', async () => {
    const [wal, space, configuration] = ['wal', 'space', 'etc'].map((name) =>
      join(cluster.root, name),
    );
    await mkdir(space ?? '', { mode: 0o700 });
    const primary = await cluster.member('alpha');
    await primary.bootstrap();
    await primary.sql('CREATE TABLE before (n int)');
    const member = await cluster.member('beta', {
      basebackupOptions: [`--waldir=${wal}`, `--tablespace-mapping=${space}=${space}-of-beta`],
      configDir: configuration,
    });
    await primary.sql(`CREATE TABLESPACE extra LOCATION '${space}'`);
    await primary.sql('CREATE TABLE far (n int) TABLESPACE extra');
    const target = { upstream: primary.upstream(), slotName: 'beta' };
    for (let round = 0; round < 4; round += 1) {
      expectOk(await member.postgres.clone(primary.upstream(), target, job()));
      await member.start(target);
      await member.streaming();
      expect(await member.sql('SELECT count(*) FROM far')).toBe('0');
      await member.stop();
    }
    expect(await readlink(join(member.dataDir, 'pg_wal'))).toBe(wal);
    expect(await readdir(configuration ?? '')).toContain('postgresql.conf');
    const names = await readdir(cluster.root);
    const asides = (prefix: string) => names.filter((name) => name.startsWith(`${prefix}.aside-`));
    expect(asides('beta')).toHaveLength(2);
    expect(asides('wal')).toHaveLength(2);
    expect(asides('space-of-beta')).toHaveLength(2);
  });
});
