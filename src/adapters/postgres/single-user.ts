import { join } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { JobOptions } from '../../ports/postgres.ts';
import { asArguments, configurationPaths, writeConfiguration } from './configuration.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { exists, removeDurably, renameDurably } from './durable-files.ts';
import { toolEnvironment } from './environment.ts';
import { readControlFile } from './inspect.ts';
import { STANDBY_SIGNAL, launchParameters, writeStandbySignal } from './launch.ts';
import { removeStalePidFile, requireDown } from './postmaster.ts';
import { run, succeeded } from './subprocess.ts';
import { filesFailed, toolFailed } from './tool-failure.ts';
import { readMarker, readMarkerOfMethod } from './unfinished.ts';

const SIGNAL_ASIDE = 'standby.signal.pgbaton-aside';

async function requireRecoverable(context: Context): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const down = await requireDown(context);
  if (!down.ok) return down;
  if (((await readMarkerOfMethod(context)) ?? (await readMarker(dataDir))) !== undefined) {
    return fail('postgres-data-unfinished', `${dataDir} holds unfinished work`);
  }
  if (await exists(join(dataDir, 'backup_label'))) {
    return fail(
      'postgres-backup-label-present',
      `${dataDir} is a backup that was never started: recovery without its WAL would ruin it`,
      'It is started as a standby, or cloned anew.',
    );
  }
  await removeStalePidFile(dataDir);
  return done;
}

/**
 * Parameters of the single-user server. Archiving counts as on and always failing: otherwise the
 * checkpoint at its end would drop segments that were never archived, and that pg_rewind needs.
 */
const SINGLE_USER_PARAMETERS = {
  archive_mode: 'on',
  archive_command: 'false',
  synchronous_standby_names: '',
  max_slot_wal_keep_size: '-1',
} as const;

async function runSingleUser(context: Context, options: JobOptions): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  const parameters = await launchParameters(context);
  if (!parameters.ok) return parameters;
  const nowhere = { upstream: undefined, slotName: undefined };
  const written = await writeConfiguration(context, nowhere, parameters.value);
  if (!written.ok) return written;
  options.onProgress({ done: 0, total: undefined, what: 'crash recovery' });
  const outcome = await run(context.clock, {
    executable: installation.value.path('postgres'),
    args: [
      '--single',
      '-D',
      dataDir,
      '-c',
      `config_file=${configurationPaths(context).main}`,
      ...asArguments({ ...parameters.value, ...SINGLE_USER_PARAMETERS }),
      'template1',
    ],
    env: toolEnvironment(),
    timeoutMillis: undefined,
    signal: options.signal,
  });
  if (!succeeded(outcome)) {
    const remedy = 'See the message; a directory that cannot recover has to be cloned anew.';
    return toolFailed('postgres --single', outcome, 'postgres-recovery-failed', remedy);
  }
  const file = await readControlFile(context, dataDir);
  if (!file.ok) return file;
  if (file.value.control.state === 'shut down') return done;
  return fail(
    'postgres-recovery-incomplete',
    `after crash recovery the control file says "${file.value.control.state}"`,
  );
}

/**
 * Crash recovery to a clean shutdown, as pg_rewind demands, by a server that nobody can connect to.
 * It refuses standby.signal, which is set aside for so long and put back whatever happens.
 */
export async function recoverSingleUser(
  context: Context,
  options: JobOptions,
): Promise<Result<void>> {
  const { dataDir } = context.settings();
  try {
    const recoverable = await requireRecoverable(context);
    if (!recoverable.ok) return recoverable;
    const signal = join(dataDir, STANDBY_SIGNAL);
    if (await exists(signal)) await renameDurably(signal, join(dataDir, SIGNAL_ASIDE));
    await removeDurably(join(dataDir, 'recovery.signal'));
    try {
      return await runSingleUser(context, options);
    } finally {
      await writeStandbySignal(dataDir);
      await removeDurably(join(dataDir, SIGNAL_ASIDE));
    }
  } catch (error) {
    return filesFailed('crash recovery', messageOf(error), 'postgres-recovery-failed');
  }
}
