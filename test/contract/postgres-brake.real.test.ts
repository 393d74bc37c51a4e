import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BITE_MILLIS, BRAKE_NAMES } from '../../src/core/brake.ts';
import { freezeServer, thawServer } from '../../src/guardian/freeze.ts';
import { targetOf } from '../../src/guardian/fence.ts';
import { listChildren, readProcess } from '../../src/guardian/procfs.ts';
import { identify, runs } from '../harness/guardian-program.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { NOWHERE, TestCluster, expectOk, until } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
const root = becomePostgresUser(owner);
afterAll(() => root.close());

/** A machine that is busy with other tests; what is promised of 100 ms is that it is asked for them. */
const PATIENT_MILLIS = 10_000;

/** A commit of a client, and whether it was acknowledged. */
interface Commit {
  acknowledged: boolean;
  readonly answer: Promise<unknown>;
}

describe('the commit brake', () => {
  let cluster: TestCluster;
  let primary: TestMember;
  let file: string;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
    await primary.sql('CREATE TABLE t (i int)');
    file = join(primary.stateDir, 'brake.conf');
  });
  afterAll(() => cluster.close());

  const commit = (): Commit => {
    const statement = primary.sql('INSERT INTO t VALUES (1)');
    const begun: Commit = {
      acknowledged: false,
      answer: statement.then(() => {
        begun.acknowledged = true;
      }),
    };
    return begun;
  };
  const waiting = (): Promise<string> =>
    primary.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  const pidOf = async (type: string): Promise<number> =>
    Number(await primary.sql(`SELECT pid FROM pg_stat_activity WHERE backend_type = '${type}'`));
  const bites = async (): Promise<{ readonly ended: Promise<void> }> => {
    const seen = await primary.postgres.holdCommits(PATIENT_MILLIS);
    if (seen.kind !== 'waits') throw new Error(JSON.stringify(seen));
    return seen;
  };
  /** The bound of one try is for an agent that tries again, not for this machine. */
  const letGo = (of = primary): Promise<unknown> =>
    until('released', async () => ((await of.postgres.releaseCommits()).ok ? true : undefined));
  const shown = (): Promise<string> => primary.sql('SHOW synchronous_standby_names');

  describe('bites, and lets go', () => {
    it('holds a commit, reads go on, and the release acknowledges it', async () => {
      const { ended } = await bites();
      const one = commit();
      // The commit of the brake itself is the other.
      await until('waits', async () => ((await waiting()) === '2' ? true : undefined));
      expect(one.acknowledged).toBe(false);
      expect((await primary.facts()).synchronousStandbyNames).toBe(BRAKE_NAMES);
      await letGo();
      await ended;
      await one.answer;
      expect(await shown()).toBe('');
    });

    it('makes Postgres complain of nothing in its log', () => {
      const log = primary.log();
      expect(log).toContain('received SIGHUP');
      expect(log).not.toContain('contains errors');
    });

    it('gives back the names that were set before', async () => {
      expectOk(await primary.postgres.setSynchronousStandbyNames('"nobody"'));
      await bites();
      expect(await shown()).toBe(BRAKE_NAMES);
      await letGo();
      await until('back', async () => ((await shown()) === '"nobody"' ? true : undefined));
      expectOk(await primary.postgres.setSynchronousStandbyNames(undefined));
      await until('free', async () => ((await shown()) === '' ? true : undefined));
    });

    it('tells when somebody else has let go', async () => {
      const { ended } = await bites();
      await rm(file);
      await primary.sql('SELECT pg_reload_conf()');
      await ended;
      await letGo();
    });

    it('is released by a process that did not put it on', async () => {
      const { ended } = await bites();
      const successor = cluster.sameDirectory(primary);
      await letGo(successor);
      await ended;
      await letGo(successor);
      await successor.postgres.close();
      await letGo();
    });

    it('is released also where only the reload was missed', async () => {
      const { ended } = await bites();
      await rm(file);
      const successor = cluster.sameDirectory(primary);
      await letGo(successor);
      await ended;
      await successor.postgres.close();
      await letGo();
    });
  });

  describe('while the checkpointer does not look', () => {
    afterEach(async () => {
      thawServer(targetOf(primary.dataDir, undefined));
      await letGo();
      await until('free', async () => ((await shown()) === '' ? true : undefined));
    });

    it('is not taken for on, though Postgres shows it', async () => {
      process.kill(await pidOf('checkpointer'), 'SIGSTOP');
      const hold = await primary.postgres.holdCommits(BITE_MILLIS);
      expect(hold).toMatchObject({ kind: 'unseen' });
      await until('shown', async () => ((await shown()) === BRAKE_NAMES ? true : undefined));
      await commit().answer;
    });

    it('is replaced by a server that stands still, and acknowledges when it goes on', async () => {
      process.kill(await pidOf('checkpointer'), 'SIGSTOP');
      await primary.postgres.holdCommits(BITE_MILLIS);
      const target = targetOf(primary.dataDir, undefined);
      expect(freezeServer(target)).toBeGreaterThan(5);
      const all = [primary.pid, ...listChildren(primary.pid)];
      const moves = (state = 'X'): boolean => !['T', 'Z', 'X'].includes(state);
      const moving = (): boolean => all.some((pid) => moves(readProcess(pid)?.state));
      // One that is to stop still counts as running until it is its turn to.
      await until('nothing moves', () => (moving() ? undefined : true));
      const one = commit();
      expect(await primary.postgres.probe(200)).toMatchObject({ kind: 'silent' });
      expect(one.acknowledged).toBe(false);
      const released = letGo();
      thawServer(target);
      await released;
      await one.answer;
    });
  });

  describe('does not outlive', () => {
    it('a start: what is left of it is gone', async () => {
      await bites();
      const processes = [primary.pid, ...listChildren(primary.pid)].map(identify);
      await primary.stop('SIGKILL');
      // The backend that waits notices a moment later that it has no postmaster any more.
      await until('all of it gone', () => (processes.some(runs) ? undefined : true));
      await primary.start();
      expect(await shown()).toBe('');
      expect(await primary.postgres.holdCommits(PATIENT_MILLIS)).toEqual({ kind: 'standby' });
      await letGo();
      await primary.promoted();
    });

    it('a server that cannot be asked', async () => {
      await primary.stop('SIGKILL');
      const hold = await primary.postgres.holdCommits(BITE_MILLIS);
      expect(hold).toMatchObject({ kind: 'unseen' });
      await letGo();
      await primary.start(NOWHERE);
      await primary.promoted();
    });

    it('a file that cannot be written: it is not on', async () => {
      await rm(file, { force: true });
      await writeFile(`${file}.new`, '', { mode: 0o400 });
      const hold = await primary.postgres.holdCommits(BITE_MILLIS);
      await rm(`${file}.new`, { force: true });
      expect(hold).toMatchObject({ kind: 'unseen' });
      await letGo();
    });
  });
});
