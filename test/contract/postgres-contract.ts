import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BRAKE_NAMES } from '../../src/core/brake.ts';
import { parseLsn } from '../../src/core/lsn.ts';
import type { ServerFacts, Upstream } from '../../src/core/postgres.ts';
import type { Result } from '../../src/core/result.ts';
import type { BootstrapSettings } from '../../src/core/settings.ts';
import type { CommitHold, FollowTarget, Postgres } from '../../src/ports/postgres.ts';

/** One member's Postgres, real or simulated, with somebody who starts and ends its postmaster. */
interface ServerUnderTest {
  readonly postgres: Postgres;
  upstream(): Upstream;
  /** What `prepareStart` answers is launched. */
  launch(target: FollowTarget): Promise<void>;
  /** A fast stop, to its end. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface PostgresUnderTest {
  server(name: string): Promise<ServerUnderTest>;
  /** What a call answers, as soon as it does. */
  answer<T>(call: Promise<T>): Promise<T>;
  /** A moment passes. */
  moment(): Promise<void>;
  close(): Promise<void>;
}

const NOWHERE: FollowTarget = { upstream: undefined, slotName: undefined };
const BOOTSTRAP: BootstrapSettings = {
  initdbOptions: ['--encoding=UTF8', '--locale=C', '--no-sync'],
  custom: undefined,
  postBootstrap: undefined,
  dynamic: {},
};
const MOMENTS_MAX = 2000;
const TIMEOUT_MILLIS = 10_000;

const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
};
const options = (): Parameters<Postgres['rewind']>[1] => ({
  signal: new AbortController().signal,
  onProgress: () => undefined,
});

/** What decisions rest on, whichever Postgres is behind the port: the life of a primary and a standby. */
export function postgresContract(title: string, open: () => Promise<PostgresUnderTest>): void {
  describe(title, () => {
    let bench: PostgresUnderTest;
    let alpha: ServerUnderTest;
    let beta: ServerUnderTest;

    beforeAll(async () => {
      bench = await open();
      alpha = await bench.server('alpha');
      beta = await bench.server('beta');
    });
    afterAll(async () => {
      await bench.close();
    });

    const facts = async (
      of: ServerUnderTest,
      suits: (facts: ServerFacts) => boolean = () => true,
    ): Promise<ServerFacts> => {
      for (let moment = 0; moment < MOMENTS_MAX; moment += 1) {
        const answer = await bench.answer(of.postgres.probe(2000));
        if (answer.kind === 'answered' && suits(answer.facts)) return answer.facts;
        await bench.moment();
      }
      throw new Error('the server does not become what it should be');
    };
    const row = (seen: ServerFacts) =>
      seen.replication.find(({ applicationName }) => applicationName === 'beta');
    const directory = (of: ServerUnderTest) => bench.answer(of.postgres.inspectDataDirectory());
    const primaryTarget = (): FollowTarget => ({ upstream: alpha.upstream(), slotName: 'beta' });

    /** The checkpointer may have other things to do, for some seconds. */
    const held = async (): Promise<Extract<CommitHold, { kind: 'waits' }>> => {
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const hold = await bench.answer(alpha.postgres.holdCommits(1000));
        if (hold.kind === 'waits') return hold;
      }
      throw new Error('no commit is held');
    };

    test('there is no data directory, and then one that was shut down cleanly', async () => {
      expect(await directory(alpha)).toEqual({ kind: 'absent' });
      value(await bench.answer(alpha.postgres.initialise(BOOTSTRAP, options())));
      expect(await directory(alpha)).toMatchObject({
        kind: 'cluster',
        control: { state: 'shut down', timeline: 1 },
      });
    });

    test('a server is started as a standby, whatever it was', async () => {
      await alpha.launch(NOWHERE);
      expect(await facts(alpha)).toMatchObject({ inRecovery: true, timeline: 1 });
      expect(await directory(alpha)).toMatchObject({ standbySignal: true });
    });

    test('a promotion leads to the next timeline, and standby.signal can be put back', async () => {
      value(await bench.answer(alpha.postgres.promote()));
      const promoted = await facts(alpha, ({ inRecovery }) => !inRecovery);
      expect(promoted).toMatchObject({ timeline: 2, replication: [], slots: [] });
      value(await bench.answer(alpha.postgres.protectPrimary()));
      expect(await directory(alpha)).toMatchObject({ standbySignal: true });
      const finished = alpha.postgres.finishBootstrap(BOOTSTRAP, new AbortController().signal);
      value(await bench.answer(finished));
    });

    test('commits are held until they are let go, and Postgres shows that', async () => {
      const hold = await held();
      await facts(alpha, ({ synchronousStandbyNames }) => synchronousStandbyNames === BRAKE_NAMES);
      value(await bench.answer(alpha.postgres.releaseCommits()));
      await bench.answer(hold.ended);
      await facts(alpha, ({ synchronousStandbyNames }) => synchronousStandbyNames !== BRAKE_NAMES);
    });

    test('there is nothing to let go where nothing is held', async () => {
      value(await bench.answer(alpha.postgres.releaseCommits()));
    });

    test('its history says where it left the timeline before', async () => {
      const history = await bench.answer(alpha.postgres.readOwnHistory(2));
      expect(history).toHaveLength(1);
      expect(history[0]).toMatchObject({ parent: 1 });
    });

    test('slots hold log from the moment they are made', async () => {
      value(await bench.answer(alpha.postgres.reconcileSlots(['beta', 'gamma'], [])));
      const { slots } = await facts(alpha);
      expect(slots.map(({ name, active }) => ({ name, active }))).toEqual([
        { name: 'beta', active: false },
        { name: 'gamma', active: false },
      ]);
      expect(slots.every(({ restartLsn }) => restartLsn !== undefined)).toBe(true);
    });

    test('slots that nobody wants go where they may', async () => {
      value(await bench.answer(alpha.postgres.reconcileSlots(['beta'], ['gamma'])));
      expect((await facts(alpha)).slots.map(({ name }) => name)).toEqual(['beta']);
    });

    test('a clone is started and streams, and the primary sees it', async () => {
      const cloned = beta.postgres.clone(alpha.upstream(), primaryTarget(), options());
      value(await bench.answer(cloned));
      await beta.launch(primaryTarget());
      const standby = await facts(beta, ({ receiverState }) => receiverState === 'streaming');
      expect(standby).toMatchObject({ inRecovery: true, timeline: 2 });
      const primary = await facts(alpha, (seen) => row(seen)?.state === 'streaming');
      expect(row(primary)).toMatchObject({ syncState: 'async', syncPriority: 0 });
      expect(primary.slots).toEqual([expect.objectContaining({ name: 'beta', active: true })]);
      expect(standby.systemIdentifier).toBe(primary.systemIdentifier);
    });

    test.each([
      ['beta', 'sync'],
      ['2 (other,"beta")', 'sync'],
      ['ANY 1 (beta,other)', 'quorum'],
    ])('commits wait for it by synchronous_standby_names %j', async (names, expected) => {
      value(await bench.answer(alpha.postgres.setSynchronousStandbyNames(names)));
      const inEffect = await facts(alpha, (seen) => seen.synchronousStandbyNames === names);
      expect(inEffect.inRecovery).toBe(false);
      await facts(alpha, (seen) => row(seen)?.syncState === expected);
    });

    test('commits wait for nobody when the names are taken away', async () => {
      value(await bench.answer(alpha.postgres.setSynchronousStandbyNames('')));
      const inEffect = await facts(alpha, (seen) => seen.synchronousStandbyNames === '');
      expect(inEffect.inRecovery).toBe(false);
      await facts(alpha, (seen) => row(seen)?.syncState === 'async');
    });

    test('what is acknowledged is reported by the standby', async () => {
      value(await bench.answer(alpha.postgres.checkpoint(TIMEOUT_MILLIS)));
      const { flushLsn } = await facts(alpha);
      const seen = await facts(alpha, (found) => (row(found)?.flushLsn ?? 0n) >= (flushLsn ?? 0n));
      expect(seen.inRecovery).toBe(false);
    });

    test('a source tells its history, and that it still has the log', async () => {
      const history = await bench.answer(
        beta.postgres.readSourceHistory(alpha.upstream(), TIMEOUT_MILLIS),
      );
      expect(value(history)).toMatchObject({ timeline: 2, switches: [{ parent: 1 }] });
      const { receivedLsn, replayedLsn } = await facts(beta);
      const from = receivedLsn ?? replayedLsn;
      if (from === undefined) throw new Error('a standby has a position');
      const asked = beta.postgres.walAvailable(alpha.upstream(), 2, from, TIMEOUT_MILLIS);
      expect(await bench.answer(asked)).toBe('yes');
    });

    test('a fast stop of the primary ends when the standby has all of its log', async () => {
      await bench.answer(alpha.stop());
      expect(await bench.answer(alpha.postgres.probe(1000))).toMatchObject({ kind: 'unreachable' });
      expect(await directory(alpha)).toMatchObject({ control: { state: 'shut down' } });
      const end = value(await bench.answer(alpha.postgres.readEndOfWal(TIMEOUT_MILLIS)));
      const standby = await facts(beta);
      expect(standby.receivedLsn ?? standby.replayedLsn).toBeGreaterThanOrEqual(
        parseLsn(end.lsn) ?? 0n,
      );
      expect(end.timeline).toBe(2);
    });

    test('a server that is down neither checkpoints nor is promoted', async () => {
      expect(await bench.answer(alpha.postgres.checkpoint(1000))).toMatchObject({ ok: false });
      expect(await bench.answer(alpha.postgres.promote())).toMatchObject({ ok: false });
    });

    test('the standby is promoted, and the former primary follows it without a rewind', async () => {
      value(await bench.answer(beta.postgres.promote()));
      await facts(beta, ({ inRecovery }) => !inRecovery);
      value(await bench.answer(beta.postgres.reconcileSlots(['alpha'], [])));
      await alpha.launch({ upstream: beta.upstream(), slotName: 'alpha' });
      await facts(alpha, ({ receiverState }) => receiverState === 'streaming');
      expect(await facts(alpha, ({ timeline }) => timeline === 3)).toMatchObject({ timeline: 3 });
    });

    test('a server that was killed is not shut down cleanly', async () => {
      await bench.answer(beta.kill());
      expect(await directory(beta)).toMatchObject({ control: { state: 'in production' } });
    });

    test('a data directory is set aside, but not under a running server', async () => {
      expect(await bench.answer(alpha.postgres.setAside('test'))).toMatchObject({ ok: false });
      value(await bench.answer(beta.postgres.setAside('test')));
      expect(await directory(beta)).toEqual({ kind: 'absent' });
    });
  });
}
