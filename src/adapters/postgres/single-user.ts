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
import { launchParameters } from './launch-parameters.ts';
import { isRaised, ownedParameters } from './parameters.ts';
import { STANDBY_SIGNAL, writeStandbySignal } from './standby-signal.ts';
import { removeStalePidFile, requireDown } from './postmaster.ts';
import { run, succeeded } from './subprocess.ts';
import { filesFailed, toolFailed } from './tool-failure.ts';
import { readMarker, readMarkerOfMethod } from './unfinished.ts';

/** It starts and stops a server that has nothing to recover. */
const LOWERING_MILLIS = 10_000;
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

async function runSingleUser(
  context: Context,
  options: JobOptions,
  parameters: Readonly<Record<string, string>>,
): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  const nowhere = { upstream: undefined, slotName: undefined };
  const written = await writeConfiguration(context, nowhere, parameters, 'refusing');
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
      ...asArguments({ ...parameters, ...SINGLE_USER_PARAMETERS }),
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

/** The single-user server refuses standby.signal, which is set aside for so long and put back whatever happens. */
async function withoutStandbySignal(
  dataDir: string,
  work: () => Promise<Result<void>>,
): Promise<Result<void>> {
  const signal = join(dataDir, STANDBY_SIGNAL);
  if (await exists(signal)) await renameDurably(signal, join(dataDir, SIGNAL_ASIDE));
  await removeDurably(join(dataDir, 'recovery.signal'));
  try {
    return await work();
  } finally {
    await writeStandbySignal(dataDir);
    await removeDurably(join(dataDir, SIGNAL_ASIDE));
  }
}

/** Crash recovery to a clean shutdown, as pg_rewind demands, by a server that nobody can connect to. */
export async function recoverSingleUser(
  context: Context,
  options: JobOptions,
): Promise<Result<void>> {
  const { dataDir } = context.settings();
  try {
    const recoverable = await requireRecoverable(context);
    if (!recoverable.ok) return recoverable;
    const parameters = await launchParameters(context);
    if (!parameters.ok) return parameters;
    return await withoutStandbySignal(dataDir, () =>
      runSingleUser(context, options, parameters.value),
    );
  } catch (error) {
    return filesFailed('crash recovery', messageOf(error), 'postgres-recovery-failed');
  }
}

/**
 * A standby does not start with smaller max_connections and the like than pg_control says its
 * primary had, and we always start as one: they could never be lowered. A short single-user start
 * of a cleanly stopped primary puts the configured values there. It adds to the log, so it is only
 * for a member that leads, or whose cluster is new. What cannot be lowered stays as it was.
 */
export async function lowerLimits(context: Context): Promise<void> {
  const settings = context.settings();
  const file = await readControlFile(context, settings.dataDir);
  if (!file.ok || file.value.control.state !== 'shut down') return;
  const owned = ownedParameters(settings, context.scope);
  if (!isRaised(owned, file.value.limits)) return;
  const recoverable = await requireRecoverable(context);
  if (!recoverable.ok) return;
  const startup = new AbortController();
  const cancel = context.clock.timer(LOWERING_MILLIS, () => startup.abort());
  const job = { signal: startup.signal, onProgress: () => undefined };
  const lowered = await withoutStandbySignal(settings.dataDir, () =>
    runSingleUser(context, job, owned),
  );
  cancel();
  if (lowered.ok) return;
  context.logger.log('warn', 'parameters could not be lowered', { error: lowered.error.message });
}
