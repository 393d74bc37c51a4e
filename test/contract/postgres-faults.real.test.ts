import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeMounting, becomePostgresUser } from '../harness/postgres-privileges.ts';
import {
  BOOTSTRAP,
  NOWHERE,
  PASSWORDS,
  PG_BIN,
  TestCluster,
  expectOk,
  job,
  until,
} from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
const root = becomePostgresUser(owner);
afterAll(() => root.close());

function pgCtl(...args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      `${PG_BIN}/pg_ctl`,
      [...args],
      { timeout: 30_000, cwd: '/tmp' },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
      },
    );
  });
}

/** What every user of the host can see of the running processes. */
async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return texts.join('\n');
}

describe('a server behind the back of pgbaton', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
  });
  afterAll(() => cluster.close());

  it('is not writable after pg_ctl restart, which repeats the command line', async () => {
    // The postmaster of pg_ctl is its own: ours ends, as the guardian would see.
    const log = join(cluster.root, 'restarted.log');
    const restarted = await pgCtl('restart', '-D', primary.dataDir, '-w', '-m', 'fast', '-l', log);
    expect(restarted.code).toBe(0);
    expect(await primary.facts()).toMatchObject({ inRecovery: true });
    await pgCtl('stop', '-D', primary.dataDir, '-m', 'fast');
  });

  it('is refused a start by hand, with an error that names pgbaton', async () => {
    const log = join(cluster.root, 'by-hand.log');
    const started = await pgCtl('start', '-D', primary.dataDir, '-w', '-l', log);
    expect(started.code).toBe(1);
    expect(await readFile(log, 'utf8')).toContain('pg_hba.conf.started-without-pgbaton');
  });

  it('starts again through pgbaton', async () => {
    await primary.start();
    await primary.promoted();
  });

  it('ends altogether when a backend crashes, so that the agent decides', async () => {
    const backend = await primary.sql(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
    );
    process.kill(Number(backend), 'SIGKILL');
    await until('postmaster gone', async () => {
      const answer = await primary.postgres.probe(500);
      return answer.kind === 'unreachable' ? true : undefined;
    });
    // It listens no more, and ends a moment later.
    await primary.stop();
    await primary.start();
    expect(await primary.facts()).toMatchObject({ inRecovery: true });
    await primary.promoted();
  });
});

describe('a server that does not answer', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
  });
  afterAll(() => cluster.close());

  it('says so while it refuses connections, and nothing hangs', async () => {
    // A client in a transaction holds a smart shutdown up: new ones are told of it.
    const client = primary.sql('SELECT pg_sleep(60)').catch(() => 'ended');
    await until('client is there', async () => {
      const count = await primary.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'",
      );
      return count === '1' ? true : undefined;
    });
    await primary.postgres.close();
    process.kill(primary.pid, 'SIGTERM');
    const answer = await until('refusal', async () => {
      const seen = await primary.postgres.probe(500);
      return seen.kind === 'not-accepting' ? seen : undefined;
    });
    expect(answer.reason).toContain('shutting down');
    await primary.stop();
    expect(await client).toBe('ended');
    expect(await primary.postgres.probe(500)).toMatchObject({ kind: 'unreachable' });
  });

  it('is not started on a port that another process has', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(primary.port, '127.0.0.1', resolve));
    const answer = await primary.postgres.prepareStart(NOWHERE);
    await new Promise((resolve) => other.close(resolve));
    expect(answer).toMatchObject({ ok: false, error: { code: 'postgres-port-in-use' } });
  });

  it('starts although its postmaster.pid names a process that lives', async () => {
    const command = expectOk(await primary.postgres.prepareStart(NOWHERE));
    await writeFile(
      join(primary.dataDir, 'postmaster.pid'),
      `${process.pid}\n${primary.dataDir}\n1\n${primary.port}\n\n127.0.0.1\n\nready\n`,
    );
    expect(command.dataDir).toBe(primary.dataDir);
    await primary.start();
    expect(await primary.facts()).toMatchObject({ inRecovery: true });
  });
});

describe('what is in a data directory', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.create();
  });
  afterAll(() => cluster.close());

  it('is absent when there is none, or an empty one', async () => {
    const member = await cluster.member('empty');
    expect(await member.postgres.inspectDataDirectory()).toEqual({ kind: 'absent' });
    await mkdir(member.dataDir);
    expect(await member.postgres.inspectDataDirectory()).toEqual({ kind: 'absent' });
  });

  it('is unusable when something else is there, and is not touched', async () => {
    const member = await cluster.member('foreign');
    await mkdir(member.dataDir, { mode: 0o700 });
    await writeFile(join(member.dataDir, 'precious'), 'data');
    expect(await member.postgres.inspectDataDirectory()).toMatchObject({ kind: 'unusable' });
    const made = await member.postgres.initialise(BOOTSTRAP, job());
    expect(made).toMatchObject({ ok: false, error: { code: 'postgres-data-directory-in-use' } });
    expect(await readdir(member.dataDir)).toEqual(['precious']);
  });

  it('is unusable when others may read it', async () => {
    const member = await cluster.member('open');
    expectOk(await member.postgres.initialise(BOOTSTRAP, job()));
    await chmod(member.dataDir, 0o755);
    expect(await member.postgres.inspectDataDirectory()).toMatchObject({
      kind: 'unusable',
      remedy: expect.stringContaining('chmod 0700'),
    });
  });

  it('is removed when an initdb of ours was broken off, and only then', async () => {
    const member = await cluster.member('aborted');
    const abort = new AbortController();
    const making = member.postgres.initialise(BOOTSTRAP, job(abort.signal));
    await until('initdb has begun', async () => {
      const names = await readdir(cluster.root);
      return names.some((name) => name.startsWith('aborted.initialising-')) ? true : undefined;
    });
    abort.abort();
    expect(await making).toMatchObject({ ok: false, error: { code: 'postgres-job-aborted' } });
    expect((await readdir(cluster.root)).filter((name) => name.startsWith('aborted.init'))).toEqual(
      [],
    );
    expect(await member.postgres.inspectDataDirectory()).toEqual({ kind: 'absent' });
  });

  it('that an agent left half-made when it died is cleared by the next attempt', async () => {
    const member = await cluster.member('died');
    const left = join(cluster.root, 'died.initialising-0123456789ab');
    await mkdir(join(left, 'data'), { recursive: true });
    const marker = { work: 'initialise', startedAt: '', dataDir: member.dataDir };
    await writeFile(join(left, 'pgbaton.unfinished'), JSON.stringify(marker));
    const other = join(cluster.root, 'died.initialising-somebody-elses');
    await mkdir(other);
    expectOk(await member.postgres.initialise(BOOTSTRAP, job()));
    const names = await readdir(cluster.root);
    expect(names).not.toContain('died.initialising-0123456789ab');
    expect(names).toContain('died.initialising-somebody-elses');
  });
});

describeMounting(root, 'a full disk', () => {
  let cluster: TestCluster;
  let primary: TestMember;
  let small: string;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
    small = join(cluster.root, 'small');
    await mkdir(small);
    await root.mountTmpfs(small, 24);
  });
  afterAll(async () => {
    await root.unmount(small);
    await cluster.close();
  });

  it('at initdb is said clearly, and leaves nothing behind', async () => {
    const member = await cluster.member('small/db');
    const made = await member.postgres.initialise(BOOTSTRAP, job());
    expect(made).toMatchObject({
      ok: false,
      error: { code: 'postgres-disk-full', remedy: expect.stringContaining('Free space') },
    });
    expect((await readdir(small)).filter((name) => name !== 'db.state')).toEqual([]);
  });

  it('at a clone is said clearly, and leaves nothing behind', async () => {
    const member = await cluster.member('small/db');
    const target = { upstream: primary.upstream(), slotName: 'db' };
    const made = await member.postgres.clone(primary.upstream(), target, job());
    expect(made).toMatchObject({ ok: false, error: { code: 'postgres-disk-full' } });
    expect((await readdir(small)).filter((name) => name !== 'db.state')).toEqual([]);
  });
});

describeMounting(root, 'a data directory that is a mount point', () => {
  let cluster: TestCluster;
  let mounted: string;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    mounted = join(cluster.root, 'mounted');
    await mkdir(mounted);
    await root.mountTmpfs(mounted, 300);
  });
  afterAll(async () => {
    await cluster.stop();
    await root.unmount(mounted);
    await cluster.close();
  });

  it('is made, cloned over and rewound within itself', async () => {
    const primary = await cluster.member('alpha');
    await primary.bootstrap();
    const member = await cluster.member('mounted');
    expectOk(await member.postgres.initialise(BOOTSTRAP, job()));
    expect(await member.postgres.inspectDataDirectory()).toMatchObject({ kind: 'cluster' });
    const target = { upstream: primary.upstream(), slotName: 'mounted' };
    expectOk(await member.postgres.clone(primary.upstream(), target, job()));
    const names = await readdir(mounted);
    expect(names.filter((name) => name.startsWith('pgsql_tmp.pgbaton-aside-'))).toHaveLength(1);
    expect(names).not.toContain('pgbaton.unfinished');
    await member.start(target);
    await member.streaming();
    // A clone of it does not copy what was set aside.
    const third = await cluster.member('gamma');
    expectOk(
      await third.postgres.clone(
        member.upstream(),
        { upstream: primary.upstream(), slotName: 'gamma' },
        job(),
      ),
    );
    expect((await readdir(third.dataDir)).filter((name) => name.startsWith('pgsql_tmp'))).toEqual(
      [],
    );
    await member.promoted();
    await primary.sql('CREATE TABLE diverged (n int)');
    await primary.stop();
    await member.sql('CREATE TABLE kept (n int); CHECKPOINT');
    expectOk(await primary.postgres.rewind(member.upstream(), job()));
    await primary.start({ upstream: member.upstream(), slotName: undefined });
    await primary.streaming();
    expectOk(await primary.postgres.follow(NOWHERE));
    await until('cut off', async () => {
      const facts = await primary.facts();
      return facts.receiverState === undefined ? true : undefined;
    });
    await member.sql('CREATE TABLE lost (n int)');
    await member.stop();
    await primary.promoted();
    await primary.sql('CREATE TABLE newer (n int); CHECKPOINT');
    expectOk(await member.postgres.rewind(primary.upstream(), job()));
    await member.start({ upstream: primary.upstream(), slotName: undefined });
    expect((await member.streaming()).timeline).toBe(4);
  });
});

describe('secrets', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.create();
  });
  afterAll(() => cluster.close());

  it('are in no command line, log or error', async () => {
    const seen: string[] = [];
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        seen.push(await commandLines());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const primary = await cluster.member('alpha');
    await primary.bootstrap();
    const standby = await cluster.standby('beta', primary);
    standby.configure({ replication: { ...standby.settings.replication, username: 'nobody' } });
    const target = { upstream: primary.upstream(), slotName: undefined };
    await standby.stop();
    const refused = await standby.postgres.clone(primary.upstream(), target, job());
    expect(refused.ok).toBe(false);
    watching.abort();
    await watch;
    const said = [
      ...seen,
      ...primary.logs,
      ...standby.logs,
      primary.log(),
      standby.log(),
      JSON.stringify(refused),
      inspect(await primary.facts(), { depth: null }),
      await readFile(join(standby.dataDir, 'postgresql.conf'), 'utf8'),
    ].join('\n');
    expect(said).toContain('service=pgbaton');
    for (const secret of Object.values(PASSWORDS)) expect(said).not.toContain(secret);
    expect(primary.log()).not.toContain('PASSWORD');
    const status = await stat(join(standby.stateDir, 'pgpass'));
    expect(status.mode & 0o777).toBe(0o600);
    await rm(join(cluster.root, 'beta.state', 'pgpass'));
  });
});
