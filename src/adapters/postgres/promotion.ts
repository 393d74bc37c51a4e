import { join } from 'node:path';
import { done, err, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Millis } from '../../core/time.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { removeDurably, writeDurably } from './durable-files.ts';
import { writeStandbySignal } from './standby-signal.ts';
import { localEndpoint, toFailure, withConnection } from './local-session.ts';
import type { LocalSession } from './local-session.ts';
import { signalPostmaster } from './postmaster.ts';
import type { SqlFault } from './sql-connection.ts';

const PROMOTE_TIMEOUT_MILLIS = 1000;
const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000';

/** What pg_promote does, for a server that cannot be asked: too many connections, a broken login. */
async function promoteBySignal(context: Context): Promise<Result<void>> {
  const path = join(context.settings().dataDir, 'promote');
  await writeDurably(path, '');
  const signalled = await signalPostmaster(context.settings().dataDir, 'SIGUSR1');
  // A request that nobody took must not lie in wait for a later start.
  if (!signalled.ok) await removeDurably(path);
  return signalled;
}

/**
 * Asks for promotion, which always is fast in all supported versions, without waiting for it. A
 * server that is primary already is content.
 */
export async function promote(context: Context, session: LocalSession): Promise<Result<void>> {
  try {
    const answer = await session.use(PROMOTE_TIMEOUT_MILLIS, (connection, leftMillis) =>
      connection.query('SELECT pg_catalog.pg_promote(false)', [], leftMillis()),
    );
    if (answer.ok || answer.error.sqlState === OBJECT_NOT_IN_PREREQUISITE_STATE) return done;
    context.logger.log('warn', 'promotion by signal, since it could not be asked for over SQL', {
      reason: answer.error.message,
    });
    return await promoteBySignal(context);
  } catch (error) {
    return fail('postgres-promotion-not-requested', messageOf(error));
  }
}

/**
 * Promotion removes standby.signal; beside a running primary it does no harm, and whoever starts
 * this directory next gets a standby.
 */
export async function protectPrimary(context: Context): Promise<Result<void>> {
  try {
    await writeStandbySignal(context.settings().dataDir);
    return done;
  } catch (error) {
    return fail(
      'postgres-primary-not-protected',
      `standby.signal: ${messageOf(error)}`,
      'Check the free space and the permissions of the data directory.',
    );
  }
}

/** Makes the server read its files again. */
export async function reload(context: Context, session: LocalSession): Promise<Result<void>> {
  const answer = await session.use(PROMOTE_TIMEOUT_MILLIS, (connection, leftMillis) =>
    connection.query('SELECT pg_catalog.pg_reload_conf()', [], leftMillis()),
  );
  return answer.ok ? done : signalPostmaster(context.settings().dataDir, 'SIGHUP');
}

export async function checkpoint(context: Context, timeoutMillis: Millis): Promise<Result<void>> {
  const failed = (fault: SqlFault): Result<void> =>
    err(toFailure('postgres-checkpoint-failed', 'checkpoint', fault));
  const endpoint = await localEndpoint(context);
  const answer = await withConnection(context, endpoint, timeoutMillis, async (connection) => {
    const unbounded = await connection.query('SET statement_timeout = 0', [], timeoutMillis);
    return unbounded.ok ? connection.query('CHECKPOINT', [], timeoutMillis) : unbounded;
  });
  return answer.ok ? done : failed(answer.error);
}
