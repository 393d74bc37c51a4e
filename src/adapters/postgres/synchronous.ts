import { join } from 'node:path';
import { fail, done } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
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
  return guard.exclusively(async () => {
    const written = await writeSynchronousStandbyNames(context, value);
    if (!written.ok) return written;
    await turnGuard(context, 'open');
    guard.closeSoon();
    const reloaded = await reload(context, session);
    // A server that is down reads the file when it starts.
    return !reloaded.ok && reloaded.error.code === 'postgres-not-running' ? done : reloaded;
  });
}
