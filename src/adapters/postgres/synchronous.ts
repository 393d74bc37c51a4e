import { join } from 'node:path';
import { fail, done } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { sleep } from '../../ports/clock.ts';
import { synchronousFile, turnGuard } from './configuration.ts';
import type { Context } from './context.ts';
import { makePrivateDirectory, removeDurably, writeIfDifferent } from './durable-files.ts';
import { quoteGuc } from './parameters.ts';
import { reload } from './promotion.ts';
import type { HbaGuard } from './hba-guard.ts';
import type { LocalSession } from './local-session.ts';
import { messageOf } from './thrown.ts';

/**
 * The one writer of `synchronous_standby_names`. It lives in a file of its own outside the data
 * directory, which no clone or rewind brings along, and which the generated postgresql.conf includes
 * last. Undefined leaves the parameter to the configuration.
 */
async function writeSynchronousStandbyNames(
  context: Context,
  value: string | undefined,
): Promise<Result<void>> {
  const file = synchronousFile(context);
  try {
    if (value === undefined) await removeDurably(file);
    else {
      await makePrivateDirectory(join(file, '..'));
      await writeIfDifferent(file, `synchronous_standby_names = ${quoteGuc(value)}\n`);
    }
    return done;
  } catch (error) {
    return fail(
      'postgres-configuration-not-written',
      `${file}: ${messageOf(error)}`,
      'Check the free space and the permissions of the directory.',
    );
  }
}

/** Writes the file and has a running server read it; that it is in effect is told by a probe. */
export async function setSynchronousStandbyNames(
  context: Context,
  session: LocalSession,
  guard: HbaGuard,
  value: string | undefined,
): Promise<Result<void>> {
  const reloaded = await guard.exclusively(async () => {
    const written = await writeSynchronousStandbyNames(context, value);
    if (!written.ok) return written;
    await turnGuard(context, 'open');
    guard.closeSoon();
    return reload(context, session);
  });
  // A server that is down reads the file when it starts.
  if (!reloaded.ok) return reloaded.error.code === 'postgres-not-running' ? done : reloaded;
  // Without a list PostgreSQL lets go by itself whoever waits.
  if (value !== '') await releaseWaiting(context, session, value);
  return done;
}

/** What the processes of a server need to read a changed configuration, as a rule; and how often to look. */
const EFFECT_MILLIS = 10;
const EFFECT_LOOKS = 20;
const STATEMENT_TIMEOUT_MILLIS = 1000;

const IS_PRIMARY = 'SELECT 1 WHERE NOT pg_catalog.pg_is_in_recovery()';
const IS_IN_EFFECT = `SELECT 1
  WHERE coalesce(pg_catalog.current_setting('synchronous_standby_names') = $1, true)`;
/** Committed locally, or it would wait itself. */
const WRITE_LOG = `SELECT pg_catalog.set_config('synchronous_commit', 'local', true),
  pg_catalog.pg_logical_emit_message(true, 'pgbaton', '')`;

/**
 * A standby that is waited for only now may long have what commits wait for, and PostgreSQL looks at
 * that when the standby confirms something the next time. While every client waits nothing new is
 * written, and that is wal_receiver_status_interval (10 s) away: so a little log is written for it to
 * confirm. Should that fail, the next write does the same.
 */
async function releaseWaiting(
  context: Context,
  session: LocalSession,
  value: string | undefined,
): Promise<void> {
  const answers = async (statement: string, values: readonly unknown[] = []): Promise<boolean> => {
    const rows = await session.use(STATEMENT_TIMEOUT_MILLIS, (connection, leftMillis) =>
      connection.query(statement, values, leftMillis()),
    );
    return rows.ok && rows.value.length > 0;
  };
  if (!(await answers(IS_PRIMARY))) return;
  for (let look = 0; look < EFFECT_LOOKS; look += 1) {
    const inEffect = await answers(IS_IN_EFFECT, [value ?? null]);
    // The walsenders read it at about the time at which this session did.
    await sleep(context.clock, EFFECT_MILLIS);
    if (inEffect) break;
  }
  await answers(WRITE_LOG);
}
