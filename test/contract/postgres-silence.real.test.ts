import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { Secret } from '../../src/core/secret.ts';
import { SqlConnection } from '../../src/demo/sql.ts';
import { becomePostgresUser } from '../harness/postgres-privileges.ts';
import { PASSWORDS, TestCluster, until } from '../harness/postgres-server.ts';
import type { TestMember } from '../harness/postgres-server.ts';

const owner = await stat('/var/lib/postgresql');
const root = becomePostgresUser(owner);
afterAll(() => root.close());

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
      expect(took).toBeLessThan(600);
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
    expect(await primary.postgres.probe(1000)).toMatchObject({
      kind: 'answered',
      admitsNobody: false,
    });
  });

  it('turns the agent away when all connections are taken, those of superusers too', async () => {
    await primary.postgres.close();
    const target = {
      host: '127.0.0.1',
      port: primary.port,
      user: 'postgres',
      password: new Secret(PASSWORDS.superuser),
      applicationName: 'crowd',
    };
    const crowd: SqlConnection[] = [];
    const comeInUntilTurnedAway = async (): Promise<void> => {
      for (;;) {
        try {
          crowd.push(await SqlConnection.open(target, CLIENT_TIMEOUTS));
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
        return seen.kind === 'answered' ? undefined : seen;
      });
      expect(answer).toEqual({
        kind: 'refusing',
        reason: expect.stringContaining('too many clients'),
      });
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
    const locked = primary.sql(
      'BEGIN; LOCK pg_authid IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2)',
    );
    const answer = await until('the lock', async () => {
      const seen = await primary.postgres.probe(500);
      await primary.postgres.close();
      return seen.kind === 'answered' ? undefined : seen;
    });
    expect(answer).toEqual({ kind: 'stuck', reason: expect.stringContaining('no answer') });
    await locked;
    expect(await primary.facts()).toMatchObject({ inRecovery: false });
  });
});
