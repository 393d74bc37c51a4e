import { done, fail } from '../../core/result.ts';
import type { Failure, Result } from '../../core/result.ts';
import type { Upstream } from '../../core/postgres.ts';
import type { CustomCommand } from '../../core/settings.ts';
import type { FollowTarget, JobOptions } from '../../ports/postgres.ts';
import { parseCopyProgress } from '../../wire/postgres/progress.ts';
import {
  formatConninfo,
  prepareServiceAccess,
  upstreamParameters,
  writePassfile,
} from './conninfo.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { exists } from './durable-files.ts';
import { toolEnvironment } from './environment.ts';
import { inspectDataDirectory } from './inspect.ts';
import { readSourceHistory } from './history.ts';
import { methodArguments, runOperatorCommand } from './operator-command.ts';
import { linkedDirectories, openStaging } from './placement.ts';
import type { Staging } from './placement.ts';
import { requireDown } from './postmaster.ts';
import { pruneAsides, setAside } from './set-aside.ts';
import { createSlotOn } from './slots.ts';
import { run, succeeded } from './subprocess.ts';
import type { ProcessOutcome } from './subprocess.ts';
import { filesFailed, toolFailed } from './tool-failure.ts';
import { clearUnfinished, runInPlace } from './work-in-place.ts';

const SOURCE_TIMEOUT_MILLIS = 10_000;
const BASEBACKUP_REMEDY =
  'Check that pg_hba.conf of the source lets the replication user in from here, max_wal_senders, and postgresql.basebackup.';

/** Slots are in use for a moment after their standby was stopped; a backup can do without. */
const slotIsInUse = (outcome: ProcessOutcome): boolean =>
  /replication slot .* is active for PID/.test(outcome.stderr);

interface Attempt {
  readonly source: Upstream;
  readonly target: FollowTarget;
  readonly options: JobOptions;
}

async function runBasebackup(
  context: Context,
  attempt: Attempt,
  staging: Staging,
  slotName: string | undefined,
): Promise<Result<ProcessOutcome>> {
  const installation = await context.binaries.find();
  if (!installation.ok) return installation;
  const settings = context.settings();
  const access = await prepareServiceAccess(
    context,
    upstreamParameters(attempt.source, settings.replication, {
      application_name: context.memberName,
    }),
  );
  const outcome = await run(context.clock, {
    executable: installation.value.path('pg_basebackup'),
    args: [
      '-D',
      staging.dataDir,
      '-d',
      access.conninfo,
      '-w',
      '-X',
      'stream',
      '-c',
      'fast',
      '--progress',
      // What it leaves in tablespaces has to be removed too: `discard` does both.
      '--no-clean',
      ...(slotName === undefined ? [] : [`--slot=${slotName}`]),
      ...settings.basebackupOptions,
    ],
    env: toolEnvironment(access.env),
    timeoutMillis: undefined,
    signal: attempt.options.signal,
    onStarted: (pid) => staging.recordProcess(pid),
    onLine: (line) => {
      const progress = parseCopyProgress(line);
      if (progress !== undefined) attempt.options.onProgress({ ...progress, what: 'kB copied' });
    },
  });
  return { ok: true, value: outcome };
}

/** One pg_basebackup into a directory of its own, moved into place when complete. */
async function basebackupOnce(
  context: Context,
  attempt: Attempt,
  slotName: string | undefined,
): Promise<Result<'made' | 'slot-in-use'>> {
  let staging: Staging | undefined;
  try {
    staging = await openStaging(context, 'clone');
    const ran = await runBasebackup(context, attempt, staging, slotName);
    if (ran.ok && succeeded(ran.value)) {
      const room = await makeRoom(context);
      if (!room.ok) {
        await staging.discard();
        return room;
      }
      await staging.complete();
      return { ok: true, value: 'made' };
    }
    await staging.discard();
    if (!ran.ok) return ran;
    if (slotName !== undefined && slotIsInUse(ran.value)) return { ok: true, value: 'slot-in-use' };
    return toolFailed('pg_basebackup', ran.value, 'postgres-clone-failed', BASEBACKUP_REMEDY);
  } catch (error) {
    await staging?.discard();
    return filesFailed('clone', messageOf(error), 'postgres-clone-failed');
  }
}

/**
 * The slot is on the upstream. A backup of another member takes a temporary one there, and so does
 * one that was told to do without.
 */
function slotFor(context: Context, attempt: Attempt): string | undefined {
  const { slotName, upstream } = attempt.target;
  const elsewhere = upstream !== undefined && upstream.name !== attempt.source.name;
  const refused = context.settings().basebackupOptions.includes('--no-slot');
  return elsewhere || refused ? undefined : slotName;
}

/** Nothing is given up before the source has answered. */
async function prepareSource(
  context: Context,
  attempt: Attempt,
  slotName: string | undefined,
): Promise<Result<void>> {
  if (slotName !== undefined) return createSlotOn(context, attempt.source, slotName);
  const history = await readSourceHistory(context, attempt.source, SOURCE_TIMEOUT_MILLIS);
  return history.ok ? done : history;
}

/**
 * The old directory stays until the copy is complete. Not so with links: the places of tablespaces
 * and of a separate WAL directory have to be empty before pg_basebackup begins.
 */
async function cloneByBasebackup(context: Context, attempt: Attempt): Promise<Result<void>> {
  const slotName = slotFor(context, attempt);
  const reachable = await prepareSource(context, attempt, slotName);
  if (!reachable.ok) return reachable;
  const linked = await linkedDirectories(context.settings().dataDir);
  const room = linked.length > 0 ? await makeRoom(context) : await requireUsable(context);
  if (!room.ok) return room;
  const first = await basebackupOnce(context, attempt, slotName);
  if (!first.ok || first.value === 'made') return first.ok ? done : first;
  // The slot holds the WAL from now on all the same; the backup takes a temporary one.
  const second = await basebackupOnce(context, attempt, undefined);
  return second.ok ? done : second;
}

async function cloneByCommand(
  context: Context,
  attempt: Attempt,
  method: CustomCommand,
): Promise<Result<void>> {
  const settings = context.settings();
  const parameters = upstreamParameters(attempt.source, settings.replication, {
    dbname: 'postgres',
  });
  const { sslpassword: _hidden, ...shown } = parameters;
  const passfile = await writePassfile(context);
  const wasThere = await exists(`${settings.dataDir}/PG_VERSION`);
  const mayRemove = !method.keepData || !wasThere;
  return runInPlace(context, 'clone', { mayRemove }, async (onStarted) => {
    const outcome = await runOperatorCommand(context, {
      command: method.command,
      args: methodArguments(method, {
        scope: context.scope,
        role: 'replica',
        datadir: settings.dataDir,
        connstring: formatConninfo(shown),
      }),
      env: { PGPASSFILE: passfile },
      timeoutMillis: undefined,
      signal: attempt.options.signal,
      onStarted,
    });
    if (succeeded(outcome)) return done;
    const remedy = `Run the command of postgresql.${method.name} by hand.`;
    return toolFailed(method.name, outcome, 'postgres-replica-method-failed', remedy);
  });
}

async function requireUsable(context: Context): Promise<Result<void>> {
  const found = await inspectDataDirectory(context);
  return found.kind === 'unusable'
    ? fail('postgres-data-directory-unusable', found.reason, found.remedy)
    : done;
}

/** Empties the place, by a rename; what is no data directory is not touched. */
async function makeRoom(context: Context): Promise<Result<void>> {
  const found = await inspectDataDirectory(context);
  switch (found.kind) {
    case 'absent':
      return done;
    case 'unusable':
      return fail('postgres-data-directory-unusable', found.reason, found.remedy);
    case 'unfinished':
    case 'cluster': {
      const aside = await setAside(context, 'replaced by a clone');
      return aside.ok ? done : aside;
    }
  }
}

async function tryMethods(context: Context, attempt: Attempt): Promise<Result<void>> {
  const failures: Failure[] = [];
  for (const method of context.settings().replicaMethods) {
    if (attempt.options.signal.aborted) return fail('postgres-job-aborted', 'clone was aborted');
    const name = method === 'basebackup' ? method : method.name;
    if (method !== 'basebackup' && !method.keepData) {
      const room = await makeRoom(context);
      if (!room.ok) return room;
    }
    context.logger.log('info', 'cloning', { method: name, source: attempt.source.name });
    const made =
      method === 'basebackup'
        ? await cloneByBasebackup(context, attempt)
        : await cloneByCommand(context, attempt, method);
    if (made.ok) return done;
    context.logger.log('warn', 'cloning failed', { method: name, error: made.error.message });
    failures.push(made.error);
  }
  const last = failures.at(-1);
  return last === undefined
    ? fail(
        'postgres-no-replica-method',
        'no method to create a replica is configured',
        'Set postgresql.create_replica_methods.',
      )
    : { ok: false, error: last };
}

/** Replaces the data directory by a copy of the source's. The old one is set aside first. */
export async function clone(
  context: Context,
  source: Upstream,
  target: FollowTarget,
  options: JobOptions,
): Promise<Result<void>> {
  try {
    const down = await requireDown(context);
    if (!down.ok) return down;
    const cleared = await clearUnfinished(context);
    if (!cleared.ok) return cleared;
    const made = await tryMethods(context, { source, target, options });
    if (!made.ok) return made;
    await pruneAsides(context);
    return done;
  } catch (error) {
    return filesFailed('clone', messageOf(error), 'postgres-clone-failed');
  }
}
