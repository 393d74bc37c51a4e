import { appendFile, open, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { BootstrapSettings, CustomCommand, PostgresSettings } from '../../core/settings.ts';
import type { JobOptions } from '../../ports/postgres.ts';
import { writePassfile } from './conninfo.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { makePrivateDirectory, randomSuffix } from './durable-files.ts';
import { initdbEnvironment, localeIsUnset } from './environment.ts';
import { inspectDataDirectory } from './inspect.ts';
import { methodArguments, runOperatorCommand } from './operator-command.ts';
import { openStaging } from './placement.ts';
import type { Staging } from './placement.ts';
import { lowerLimits } from './single-user.ts';
import { run, succeeded } from './subprocess.ts';
import { filesFailed, toolFailed } from './tool-failure.ts';
import { clearUnfinished, runInPlace } from './work-in-place.ts';

const PRIVATE_FILE = 0o600;

const names = (options: readonly string[], ...wanted: readonly string[]): boolean =>
  options.some((option) => wanted.some((name) => option === name || option.startsWith(`${name}=`)));

function osUserName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in passwd, as in some containers.
    return undefined;
  }
}

/**
 * How initdb's pg_hba.conf lets people in. Over TCP always by SCRAM. Through the socket: peer when
 * the superuser is named like the operating system's user, so that `psql` works on the host; else
 * SCRAM; trust only when the superuser has no password at all.
 */
export function authenticationOptions(
  settings: PostgresSettings,
  given: readonly string[],
  osUser: string | undefined,
): readonly string[] {
  if (names(given, '--auth', '-A', '--auth-host', '--auth-local')) return [];
  const { username, password } = settings.superuser;
  const withoutPeer = password === undefined ? 'trust' : 'scram-sha-256';
  const local = username === osUser ? 'peer' : withoutPeer;
  return ['--auth-host=scram-sha-256', `--auth-local=${local}`];
}

function encodingOptions(given: readonly string[]): readonly string[] {
  const chosen = names(given, '--encoding', '-E', '--locale', '--lc-ctype', '--no-locale');
  return chosen || !localeIsUnset() ? [] : ['--encoding=UTF8'];
}

/** A name for pg_hba.conf, quoted so that no keyword is meant. */
const quoteHba = (name: string): string => `"${name.replace(/"/g, '""')}"`;

/** What members need of each other, for a pg_hba.conf that nobody configured. */
export function memberHbaLines(settings: PostgresSettings): string {
  const roles = new Set([settings.superuser.username, settings.rewind.username]);
  const lines = [
    `host replication ${quoteHba(settings.replication.username)} all scram-sha-256`,
    `host replication ${quoteHba(settings.superuser.username)} all scram-sha-256`,
    ...[...roles].map((role) => `host all ${quoteHba(role)} all scram-sha-256`),
  ];
  return `\n# Added by pgbaton: members of the cluster reach each other.\n${lines.join('\n')}\n`;
}

/** Hands the password over in a private file; it is gone when the work has ended. */
async function withPasswordFile<T>(
  context: Context,
  work: (options: readonly string[]) => Promise<T>,
): Promise<T> {
  const { password } = context.settings().superuser;
  if (password === undefined) return work([]);
  await makePrivateDirectory(context.stateDir);
  const path = join(context.stateDir, `pwfile-${randomSuffix()}`);
  const handle = await open(path, 'wx', PRIVATE_FILE);
  try {
    await handle.writeFile(`${password.reveal()}\n`);
    await handle.close();
    return await work([`--pwfile=${path}`]);
  } finally {
    await rm(path, { force: true });
  }
}

async function runInitdb(
  context: Context,
  bootstrap: BootstrapSettings,
  staging: Staging,
  options: JobOptions,
): Promise<Result<void>> {
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  const settings = context.settings();
  const given = bootstrap.initdbOptions;
  options.onProgress({ done: 0, total: undefined, what: 'initdb' });
  const outcome = await withPasswordFile(context, (passwordOptions) =>
    run(context.clock, {
      executable: installation.value.path('initdb'),
      args: [
        ...authenticationOptions(settings, given, osUserName()),
        ...encodingOptions(given),
        ...given,
        `--username=${settings.superuser.username}`,
        ...passwordOptions,
        '-D',
        staging.dataDir,
      ],
      env: initdbEnvironment(),
      timeoutMillis: undefined,
      signal: options.signal,
      onStarted: (pid) => staging.recordProcess(pid),
    }),
  );
  if (!succeeded(outcome)) {
    const remedy = 'Check bootstrap.initdb against the options of this initdb.';
    return toolFailed('initdb', outcome, 'postgres-initdb-failed', remedy);
  }
  if (settings.pgHba === undefined) {
    await appendFile(join(staging.dataDir, 'pg_hba.conf'), memberHbaLines(settings));
  }
  return done;
}

async function initialiseByInitdb(
  context: Context,
  bootstrap: BootstrapSettings,
  options: JobOptions,
): Promise<Result<void>> {
  let staging: Staging | undefined;
  try {
    staging = await openStaging(context, 'initialise');
    const made = await runInitdb(context, bootstrap, staging, options);
    if (!made.ok) {
      await staging.discard();
      return made;
    }
    await staging.complete();
    await lowerLimits(context);
    return done;
  } catch (error) {
    await staging?.discard();
    return filesFailed('new data directory', messageOf(error), 'postgres-initialise-failed');
  }
}

async function initialiseByCommand(
  context: Context,
  custom: CustomCommand,
  options: JobOptions,
): Promise<Result<void>> {
  const { dataDir } = context.settings();
  const passfile = await writePassfile(context);
  options.onProgress({ done: 0, total: undefined, what: custom.name });
  return runInPlace(context, 'initialise', { mayRemove: true }, async (onStarted) => {
    const outcome = await runOperatorCommand(context, {
      command: custom.command,
      args: methodArguments(custom, { scope: context.scope, datadir: dataDir }),
      env: { PGPASSFILE: passfile },
      timeoutMillis: undefined,
      signal: options.signal,
      onStarted,
    });
    if (succeeded(outcome)) return done;
    const remedy = `Run the command of bootstrap.${custom.name} by hand.`;
    return toolFailed(custom.name, outcome, 'postgres-bootstrap-method-failed', remedy);
  });
}

/** A new cluster, by initdb or the operator's command. The data directory must be absent or empty. */
export async function initialise(
  context: Context,
  bootstrap: BootstrapSettings,
  options: JobOptions,
): Promise<Result<void>> {
  try {
    const cleared = await clearUnfinished(context);
    if (!cleared.ok) return cleared;
    const found = await inspectDataDirectory(context);
    if (found.kind !== 'absent') {
      return fail(
        'postgres-data-directory-in-use',
        `${context.settings().dataDir} is not empty`,
        'A new cluster starts only in an empty directory: move the old one away.',
      );
    }
    return bootstrap.custom === undefined
      ? await initialiseByInitdb(context, bootstrap, options)
      : await initialiseByCommand(context, bootstrap.custom, options);
  } catch (error) {
    return filesFailed('new data directory', messageOf(error), 'postgres-initialise-failed');
  }
}
