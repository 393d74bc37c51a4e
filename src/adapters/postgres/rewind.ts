import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Upstream } from '../../core/postgres.ts';
import type { JobOptions } from '../../ports/postgres.ts';
import { parseCopyProgress } from '../../wire/postgres/progress.ts';
import type { ControlFile } from '../../wire/postgres/control-data.ts';
import { configurationPaths, writeConfiguration } from './configuration.ts';
import { prepareServiceAccess, upstreamParameters } from './conninfo.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { divergencePoint, keepDivergedWal } from './diverged-wal.ts';
import { readIfExists, writeIfDifferent } from './durable-files.ts';
import { restoringToolEnvironment } from './environment.ts';
import { readHistoryFile, readSourceHistory } from './history.ts';
import { readControlFile } from './inspect.ts';
import { launchParameters } from './launch-parameters.ts';
import { writeStandbySignal } from './standby-signal.ts';
import { removeStalePidFile, requireDown } from './postmaster.ts';
import { removeNestedAsides } from './set-aside.ts';
import { run, succeeded } from './subprocess.ts';
import { filesFailed, toolFailed } from './tool-failure.ts';
import { UnfinishedMarker, readMarker, readMarkerOfMethod } from './unfinished.ts';

const SOURCE_TIMEOUT_MILLIS = 10_000;
/** Two promotions gave the same number: pg_rewind takes the histories for one, and changes nothing. */
const SEES_NO_DIFFERENCE = /source and target cluster are on the same timeline/;
const CLEAN_STATES = ['shut down', 'shut down in recovery'];
/** pg_rewind says this right before it changes the first file. Source: pg_rewind.c, main. */
const BEGINS_TO_WRITE = /need to copy \d+ MB/;

/** Files that pg_rewind takes from the source although they are this member's own. */
async function readOwnFiles(context: Context): Promise<ReadonlyMap<string, string>> {
  const paths = configurationPaths(context);
  const files = new Map<string, string>();
  for (const path of [paths.base, paths.hba, paths.ident]) {
    const text = await readIfExists(path);
    if (text !== undefined) files.set(path, text);
  }
  return files;
}

async function requireRewindable(context: Context): Promise<Result<ControlFile>> {
  const { dataDir } = context.settings();
  const down = await requireDown(context);
  if (!down.ok) return down;
  const marker = (await readMarkerOfMethod(context)) ?? (await readMarker(dataDir));
  if (marker !== undefined) {
    return fail(
      'postgres-data-unfinished',
      `${dataDir} holds a ${marker.work} that did not end; only a new clone helps`,
    );
  }
  const file = await readControlFile(context, dataDir);
  if (!file.ok) return file;
  if (!file.value.control.rewindable) {
    return fail(
      'postgres-not-rewindable',
      'neither wal_log_hints nor data checksums were on',
      'The member has to be cloned anew. pgbaton switches wal_log_hints on for the next time.',
    );
  }
  if (!CLEAN_STATES.includes(file.value.control.state)) {
    return fail(
      'postgres-not-shut-down-cleanly',
      `the control file says "${file.value.control.state}"`,
      'Crash recovery has to run first.',
    );
  }
  return file;
}

/** Keeps the WAL that the rewind throws away; what the source says of its history tells from where. */
async function keepWal(
  context: Context,
  source: Upstream,
  file: ControlFile,
): Promise<Result<void>> {
  const { timeline } = file.control;
  const history = await readSourceHistory(context, source, SOURCE_TIMEOUT_MILLIS);
  if (!history.ok) return history;
  const switches = await readHistoryFile(context.settings().dataDir, timeline);
  const divergence =
    switches === undefined ? undefined : divergencePoint({ timeline, switches }, history.value);
  const kept = await keepDivergedWal(context, file, divergence);
  return kept.ok ? done : kept;
}

async function rewindArguments(context: Context, conninfo: string): Promise<readonly string[]> {
  const settings = context.settings();
  const installation = await context.binaries.find();
  const major = installation.ok ? installation.value.majorVersion : 0;
  const restores = settings.recoveryConf['restore_command'] !== undefined;
  // Outside the data directory the configuration can be named since version 15 only.
  const outside = settings.configDir !== undefined && settings.configDir !== settings.dataDir;
  const mayRestore = restores && (!outside || major >= 15);
  return [
    `--target-pgdata=${settings.dataDir}`,
    `--source-server=${conninfo}`,
    '--progress',
    // We bring it to a clean shutdown ourselves, with the signal file out of the way.
    '--no-ensure-shutdown',
    ...(mayRestore ? ['--restore-target-wal'] : []),
    ...(mayRestore && outside ? [`--config-file=${configurationPaths(context).main}`] : []),
    ...settings.rewindOptions,
  ];
}

async function runRewind(
  context: Context,
  source: Upstream,
  options: JobOptions,
): Promise<Result<void>> {
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  const settings = context.settings();
  const access = await prepareServiceAccess(
    context,
    upstreamParameters(source, settings.rewind, { dbname: settings.database }),
  );
  const args = await rewindArguments(context, access.conninfo);
  const marker = await UnfinishedMarker.place(
    context,
    settings.dataDir,
    'rewind',
    settings.dataDir,
  );
  let wrote = false;
  let blind = false;
  const outcome = await run(context.clock, {
    executable: installation.value.path('pg_rewind'),
    args,
    env: restoringToolEnvironment(access.env),
    timeoutMillis: undefined,
    signal: options.signal,
    onStarted: (pid) => marker.recordProcess(pid),
    onLine: (line) => {
      if (BEGINS_TO_WRITE.test(line)) wrote = true;
      if (SEES_NO_DIFFERENCE.test(line)) blind = true;
      const progress = parseCopyProgress(line);
      if (progress !== undefined) options.onProgress({ ...progress, what: 'kB rewound' });
    },
  });
  if (succeeded(outcome)) {
    // Durable before the marker goes: from then on the directory may be started.
    await writeStandbySignal(settings.dataDir);
    await marker.remove();
    if (!blind) return done;
    return fail(
      'postgres-rewind-blind',
      'pg_rewind sees no difference: source and target are on timelines of the same number',
      'The member has to be cloned anew.',
    );
  }
  await marker.settled();
  // Before it wrote anything the directory is what it was.
  if (!wrote && outcome.ended !== 'timed-out') await marker.remove();
  const remedy = wrote
    ? 'The directory is half rewound and is never started: it has to be cloned anew.'
    : 'Check postgresql.authentication.rewind and its grants on the source.';
  const code = wrote ? 'postgres-rewind-broken-off' : 'postgres-rewind-not-begun';
  return toolFailed('pg_rewind', outcome, code, remedy);
}

/**
 * Rewinds the data directory, in place, to where it can follow the source. Marked unfinished from
 * before the first change until it has succeeded.
 */
export async function rewind(
  context: Context,
  source: Upstream,
  options: JobOptions,
): Promise<Result<void>> {
  try {
    const file = await requireRewindable(context);
    if (!file.ok) return file;
    await removeStalePidFile(context.settings().dataDir);
    const kept = await keepWal(context, source, file.value);
    if (!kept.ok) return kept;
    const parameters = await launchParameters(context);
    if (!parameters.ok) return parameters;
    // pg_rewind reads restore_command from the configuration in the directory.
    const nowhere = { upstream: undefined, slotName: undefined };
    const written = await writeConfiguration(context, nowhere, parameters.value, 'refusing');
    if (!written.ok) return written;
    const own = await readOwnFiles(context);
    await removeNestedAsides(context);
    const rewound = await runRewind(context, source, options);
    if (!rewound.ok) return rewound;
    for (const [path, text] of own) await writeIfDifferent(path, text);
    context.logger.log('info', 'rewound', { source: source.name });
    return done;
  } catch (error) {
    return filesFailed('rewind', messageOf(error), 'postgres-rewind-failed');
  }
}
