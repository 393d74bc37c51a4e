import { chmod, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLsn } from '../../src/core/lsn.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { TestCluster, expectOk, job, until } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
becomePostgresUser(owner).close();

const POSITION = /^[0-9A-F]+\/[0-9A-F]+$/;

describe('an old primary whose log diverged', () => {
  let cluster: TestCluster;
  let old: TestMember;
  let next: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    old = await cluster.member('alpha');
    await old.bootstrap();
    await old.sql('CREATE TABLE t (n int)');
    next = await cluster.standby('beta', old);
    await until('caught up', async () => {
      const [a, b] = [await old.facts(), await next.facts()];
      return (b.replayedLsn ?? 0n) >= (a.flushLsn ?? 1n) ? true : undefined;
    });
    await next.promoted();
    await next.sql('INSERT INTO t VALUES (1); CHECKPOINT');
    // What the old primary still acknowledged, then its death.
    await old.sql('INSERT INTO t SELECT generate_series(100, 199)');
    await old.stop('SIGKILL');
  });
  afterAll(() => cluster.close());

  it('tells where its log ends although it crashed', async () => {
    const end = expectOk(await old.postgres.readEndOfWal(10_000));
    expect(end).toEqual({ timeline: 2, lsn: expect.stringMatching(POSITION) });
    const history = expectOk(await old.postgres.readSourceHistory(next.upstream(), 5000));
    expect(history.timeline).toBe(3);
    expect(history.switches.map((entry) => entry.parent)).toEqual([1, 2]);
    const left = history.switches[1]?.switchLsn ?? 0n;
    expect(parseLsn(end.lsn) ?? 0n).toBeGreaterThan(left);
    expect(await next.postgres.readOwnHistory(3)).toEqual(history.switches);
  });

  it('refuses to rewind before crash recovery', async () => {
    const answer = await old.postgres.rewind(next.upstream(), job());
    expect(answer).toMatchObject({ ok: false, error: { code: 'postgres-not-shut-down-cleanly' } });
  });

  it('recovers without serving anyone, and keeps standby.signal', async () => {
    expectOk(await old.postgres.recoverSingleUser(job()));
    const found = await old.postgres.inspectDataDirectory();
    expect(found).toMatchObject({
      kind: 'cluster',
      standbySignal: true,
      control: { state: 'shut down' },
    });
  });

  it('finds the end of the shutdown checkpoint as the end of its log', async () => {
    const found = await old.postgres.inspectDataDirectory();
    if (found.kind !== 'cluster') throw new Error(found.kind);
    const end = expectOk(await old.postgres.readEndOfWal(10_000));
    // One shutdown checkpoint record: 114 bytes, aligned to 8.
    expect(parseLsn(end.lsn)).toBe(found.control.checkpointLsn + 120n);
  });

  it('leaves the directory as it is when the source cannot be reached', async () => {
    const nobody = { name: 'nobody', host: '127.0.0.1', port: 1 };
    const answer = await old.postgres.rewind(nobody, job());
    expect(answer.ok).toBe(false);
    expect(await old.postgres.inspectDataDirectory()).toMatchObject({ kind: 'cluster' });
  });

  it.each([
    ['before it wrote anything stays what it was', 'connected to server', 'cluster'],
    ['after it began to write stays marked', 'need to copy 17 MB', 'unfinished'],
  ])('whose rewind breaks off %s', async (_, said, kind) => {
    const program = join(cluster.root, 'pg_rewind');
    await writeFile(program, `#!/bin/sh\necho "pg_rewind: ${said}" >&2\nexit 1\n`);
    await chmod(program, 0o755);
    old.configure({ binNames: { pg_rewind: program } });
    expect(await old.postgres.rewind(next.upstream(), job())).toMatchObject({ ok: false });
    expect(await old.postgres.inspectDataDirectory()).toMatchObject({ kind });
    old.configure({ binNames: {} });
    await rm(join(old.dataDir, 'pgbaton.unfinished'), { force: true });
  });

  it('is rewound, keeps the discarded log, and follows the new primary', async () => {
    expectOk(await old.postgres.rewind(next.upstream(), job()));
    const kept = (await readdir(old.stateDir)).filter((name) => name.startsWith('diverged-wal-'));
    const copied = await readdir(join(old.stateDir, kept.at(-1) ?? ''));
    expect(copied.some((name) => /^00000002[0-9A-F]{16}$/.test(name))).toBe(true);
    expect(await old.postgres.inspectDataDirectory()).toMatchObject({
      kind: 'cluster',
      standbySignal: true,
    });
    expectOk(await next.postgres.reconcileSlots(['alpha'], []));
    await old.start({ upstream: next.upstream(), slotName: 'alpha' });
    const facts = await old.streaming();
    expect(facts.timeline).toBe(3);
    await until('same content', async () => {
      const count = await old.sql('SELECT count(*), max(n) FROM t');
      return count === '1|1' ? true : undefined;
    });
  });

  it('is never started nor rewound again once a rewind did not end', async () => {
    await old.stop();
    const marker = { work: 'rewind', startedAt: '', dataDir: old.dataDir };
    await writeFile(join(old.dataDir, 'pgbaton.unfinished'), JSON.stringify(marker));
    const found = await old.postgres.inspectDataDirectory();
    expect(found).toMatchObject({ kind: 'unfinished', work: 'rewind' });
    const target = { upstream: next.upstream(), slotName: 'alpha' };
    const start = await old.postgres.prepareStart(target);
    expect(start).toMatchObject({ ok: false, error: { code: 'postgres-data-unfinished' } });
    const again = await old.postgres.rewind(next.upstream(), job());
    expect(again).toMatchObject({ ok: false, error: { code: 'postgres-data-unfinished' } });
  });

  it('is cloned anew, and the half-rewound directory is kept aside', async () => {
    const target = { upstream: next.upstream(), slotName: 'alpha' };
    expectOk(await old.postgres.clone(next.upstream(), target, job()));
    await old.start(target);
    await old.streaming();
    const asides = (await readdir(cluster.root)).filter((name) => name.startsWith('alpha.aside-'));
    expect(asides).toEqual([expect.stringContaining('unfinished-rewind')]);
  });
});

describe('a standby whose primary has died', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.create();
  });
  afterAll(() => cluster.close());

  it('still knows its timeline, also to an agent that has just started', async () => {
    const primary = await cluster.member('one');
    await primary.bootstrap();
    const first = await cluster.standby('two', primary);
    const second = await cluster.standby('three', primary);
    await primary.stop();
    await first.promoted();
    expectOk(await first.postgres.reconcileSlots(['three'], []));
    expectOk(await second.postgres.follow({ upstream: first.upstream(), slotName: 'three' }));
    await until('on timeline 3', async () => {
      const facts = await second.facts();
      return facts.receiverTimeline === 3 && facts.receiverState === 'streaming' ? true : undefined;
    });
    await first.sql('CREATE TABLE u (n int)');
    const written = (await first.facts()).flushLsn ?? 0n;
    await until('log of timeline 3 replayed', async () => {
      const facts = await second.facts();
      return (facts.replayedLsn ?? 0n) >= written ? true : undefined;
    });
    await first.stop('SIGKILL');
    await until('receiver gone', async () => {
      const facts = await second.facts();
      return facts.receiverState === undefined ? true : undefined;
    });
    expect((await second.facts()).timeline).toBe(3);
    // Nothing remembered: settings of the same content, another adapter.
    const fresh = cluster.sameDirectory(second);
    const facts = await fresh.facts();
    expect(facts).toMatchObject({ inRecovery: true, timeline: 3, receiverState: undefined });
    await second.stop();
    expect(expectOk(await second.postgres.readEndOfWal(10_000)).timeline).toBe(3);
  });
});
