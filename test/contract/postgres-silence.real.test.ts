import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { Secret } from '../../src/core/secret.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import type { SqlTarget } from '../../src/demo/sql.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { PASSWORDS, TestCluster, until } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
const root = becomePostgresUser(owner);
afterAll(() => root.close());

/** What a busy machine may take on top of a bound. */
const SCHEDULING_MILLIS = 1500;
const CLIENT_TIMEOUTS = { connectMillis: 5_000, statementMillis: 5_000 };

describe('a server that does not say what it is', () => {
  let cluster: TestCluster;
  let primary: TestMember;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    primary = await cluster.member('alpha');
    await primary.bootstrap();
  });
  afterAll(() => cluster.close());

  const superuser = (): SqlTarget => ({
    host: '127.0.0.1',
    port: primary.port,
    user: 'postgres',
    password: new Secret(PASSWORDS.superuser),
    applicationName: 'crowd',
  });

  it.each([
    ['on the kept connection', true],
    ['on a new connection', false],
  ])('is silent at the deadline when it is stopped, %s', async (_, kept) => {
    await primary.facts();
    const backends = (await primary.sql('SELECT pid FROM pg_stat_activity'))
      .split('\n')
      .map(Number);
    const stopped = [primary.pid, ...backends];
    if (!kept) await primary.postgres.close();
    const stop = (signal: 'SIGSTOP' | 'SIGCONT'): void => {
      for (const pid of stopped) {
        try {
          process.kill(pid, signal);
        } catch {
          // A backend of psql that has ended.
        }
      }
    };
    stop('SIGSTOP');
    try {
      const startedAt = systemClock.now();
      const answer = await primary.postgres.probe(400);
      const took = systemClock.now() - startedAt;
      expect(answer).toEqual({ kind: 'silent', reason: expect.stringContaining('no answer') });
      expect(took).toBeGreaterThanOrEqual(390);
      expect(took).toBeLessThan(400 + SCHEDULING_MILLIS);
    } finally {
      stop('SIGCONT');
    }
    expect(await primary.facts()).toMatchObject({ inRecovery: false });
  });

  it('still answers on the kept connection when its postmaster alone is stopped, and lets nobody in', async () => {
    await primary.facts();
    await primary.postgres.close();
    await primary.facts();
    process.kill(primary.pid, 'SIGSTOP');
    try {
      const seen = await until('the postmaster asked', async () => {
        const answer = await primary.postgres.probe(400);
        return answer.kind === 'answered' && answer.admitsNobody === true ? answer : undefined;
      });
      expect(seen.facts.inRecovery).toBe(false);
    } finally {
      process.kill(primary.pid, 'SIGCONT');
    }
    await until('it lets clients in again', async () => {
      const answer = await primary.postgres.probe(1000);
      return answer.kind === 'answered' && !answer.admitsNobody ? true : undefined;
    });
  });

  it('turns the agent away when all connections are taken, those of superusers too', async () => {
    await primary.postgres.close();
    const crowd: SqlConnection[] = [];
    const comeInUntilTurnedAway = async (): Promise<void> => {
      for (;;) {
        try {
          crowd.push(await SqlConnection.open(superuser(), CLIENT_TIMEOUTS));
        } catch (error) {
          expect(error).toMatchObject({ message: expect.stringContaining('too many clients') });
          return;
        }
      }
    };
    try {
      // A session that has just ended leaves its place a moment later, to us or to the probe.
      const answer = await until('the refusal', async () => {
        await comeInUntilTurnedAway();
        const seen = await primary.postgres.probe(1000);
        await primary.postgres.close();
        return seen.kind === 'refusing' ? seen : undefined;
      });
      expect(answer.reason).toContain('too many clients');
    } finally {
      for (const connection of crowd) connection.close();
    }
    await until('room again', async () => {
      const seen = await primary.postgres.probe(1000);
      return seen.kind === 'answered' ? true : undefined;
    });
  });

  it('is stuck, and alive, when somebody has locked what a login needs', async () => {
    await primary.postgres.close();
    const holder = await SqlConnection.open(superuser(), CLIENT_TIMEOUTS);
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK pg_authid IN ACCESS EXCLUSIVE MODE');
      const answer = await until('a login that waits for the lock', async () => {
        const seen = await primary.postgres.probe(500);
        await primary.postgres.close();
        return seen.kind === 'stuck' ? seen : undefined;
      });
      expect(answer.reason).toContain('no answer');
    } finally {
      holder.close();
    }
    expect(await primary.facts()).toMatchObject({ inRecovery: false });
  });
});
