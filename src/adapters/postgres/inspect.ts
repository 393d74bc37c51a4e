import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok } from '../../core/result.ts';
import type { Failure, Result } from '../../core/result.ts';
import type { DataDirectory } from '../../core/postgres.ts';
import { sleep } from '../../ports/clock.ts';
import { parseControlData } from '../../wire/postgres/control-data.ts';
import type { ControlFile } from '../../wire/postgres/control-data.ts';
import type { Context } from './context.ts';
import { errnoOf, messageOf } from './thrown.ts';
import { exists, readIfExists } from './durable-files.ts';
import { toolEnvironment } from './environment.ts';
import { isNested } from './placement.ts';
import { describeOutcome, run, succeeded } from './subprocess.ts';
import type { Unfinished } from '../../wire/postgres/unfinished.ts';
import { readMarker, readMarkerOfMethod } from './unfinished.ts';

const CONTROL_TIMEOUT_MILLIS = 5000;
const CONTROL_ATTEMPTS_MAX = 5;
const CONTROL_RETRY_MILLIS = 50;
/** PostgreSQL refuses anything beyond rwxr-x---. */
const FORBIDDEN_MODE = 0o027;

type Unusable = Extract<DataDirectory, { kind: 'unusable' }>;

const unusable = (reason: string, remedy: string): Unusable => ({
  kind: 'unusable',
  reason,
  remedy,
});

const fromFailure = (error: Failure): Unusable =>
  unusable(error.message, error.remedy ?? 'See the message.');

/** pg_controldata of a directory; tries again while a running server rewrites the file. */
export async function readControlFile(
  context: Context,
  dataDir: string,
): Promise<Result<ControlFile>> {
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  let why = '';
  for (let attempt = 0; attempt < CONTROL_ATTEMPTS_MAX; attempt += 1) {
    if (attempt > 0) await sleep(context.clock, CONTROL_RETRY_MILLIS);
    const outcome = await run(context.clock, {
      executable: installation.value.path('pg_controldata'),
      args: ['-D', dataDir],
      env: toolEnvironment(),
      timeoutMillis: CONTROL_TIMEOUT_MILLIS,
    });
    if (!succeeded(outcome)) {
      why = describeOutcome('pg_controldata', outcome);
      continue;
    }
    const parsed = parseControlData(outcome.stdout);
    if (parsed.ok) return ok(parsed.value);
    why = parsed.why;
  }
  return fail(
    'postgres-control-unreadable',
    `control file of ${dataDir}: ${why}`,
    'Check the disk and the permissions; a damaged directory has to be re-cloned.',
  );
}

/** Why a directory with content cannot be used by this user, if so. */
async function permissionProblem(dataDir: string): Promise<Unusable | undefined> {
  const status = await stat(dataDir);
  const user = process.geteuid?.();
  if (user !== undefined && status.uid !== user) {
    return unusable(
      `${dataDir} belongs to user id ${status.uid}, the agent runs as ${user}`,
      `Give the directory to the user of the agent: chown -R ${user} ${dataDir}`,
    );
  }
  if ((status.mode & FORBIDDEN_MODE) !== 0) {
    return unusable(
      `${dataDir} has permissions ${(status.mode & 0o777).toString(8)}, PostgreSQL allows 700 or 750`,
      `chmod 0700 ${dataDir}`,
    );
  }
  return undefined;
}

/** Entries of the directory; undefined when it does not exist. */
async function listEntries(dataDir: string): Promise<readonly string[] | Unusable | undefined> {
  try {
    return await readdir(dataDir);
  } catch (error) {
    switch (errnoOf(error)) {
      case 'ENOENT':
        return undefined;
      case 'ENOTDIR':
        return unusable(
          `${dataDir} is no directory`,
          'Move the file away or set another data_dir.',
        );
      case 'EACCES':
      case 'EPERM':
        return unusable(
          `${dataDir} cannot be read: ${messageOf(error)}`,
          'Give the directory to the user that the agent runs as.',
        );
      default:
        return unusable(`${dataDir}: ${messageOf(error)}`, 'Check the disk and its mounts.');
    }
  }
}

async function inspectCluster(context: Context, dataDir: string): Promise<DataDirectory> {
  const version = (await readIfExists(join(dataDir, 'PG_VERSION'))) ?? '';
  const majorVersion = Number.parseInt(version, 10);
  if (Number.isNaN(majorVersion)) {
    return unusable(
      `${join(dataDir, 'PG_VERSION')} is no version`,
      'Restore the directory, or move it away so that it is cloned anew.',
    );
  }
  const installation = await context.binaries.find();
  if (!installation.ok) return fromFailure(installation.error);
  const file = await readControlFile(context, dataDir);
  if (!file.ok) return fromFailure(file.error);
  return {
    kind: 'cluster',
    majorVersion,
    control: file.value.control,
    standbySignal: await exists(join(dataDir, 'standby.signal')),
    backupLabel: await exists(join(dataDir, 'backup_label')),
  };
}

async function describeUnfinished(
  context: Context,
  work: Unfinished['work'],
  entries: readonly string[],
): Promise<DataDirectory> {
  const { dataDir } = context.settings();
  const file = entries.includes('global') ? await readControlFile(context, dataDir) : undefined;
  const systemIdentifier = file?.ok === true ? file.value.control.systemIdentifier : undefined;
  return { kind: 'unfinished', work, systemIdentifier };
}

function noCluster(dataDir: string, content: readonly string[]): Unusable {
  const mount = content.length === 1 && content[0] === 'lost+found';
  return unusable(
    `${dataDir} holds ${content.slice(0, 3).join(', ')} and no PG_VERSION: it is no data directory`,
    mount
      ? 'It is the root of a filesystem: set data_dir to a directory below it.'
      : 'Empty it or set another data_dir; it is not touched as it is.',
  );
}

async function inspectOrThrow(context: Context): Promise<DataDirectory> {
  const { dataDir } = context.settings();
  const entries = (await listEntries(dataDir)) ?? [];
  if ('kind' in entries) return entries;
  const marker = (await readMarkerOfMethod(context)) ?? (await readMarker(dataDir));
  if (marker !== undefined) return describeUnfinished(context, marker.work, entries);
  const content = entries.filter((name) => !isNested(name));
  if (content.length === 0) return { kind: 'absent' };
  const problem = await permissionProblem(dataDir);
  if (problem !== undefined) return problem;
  if (!content.includes('PG_VERSION')) return noCluster(dataDir, content);
  return inspectCluster(context, dataDir);
}

/** What is in the data directory. Reads only, and never throws for what the disk may do. */
export async function inspectDataDirectory(context: Context): Promise<DataDirectory> {
  try {
    return await inspectOrThrow(context);
  } catch (error) {
    return unusable(
      `${context.settings().dataDir} cannot be inspected: ${messageOf(error)}`,
      'Check the disk and the permissions.',
    );
  }
}
