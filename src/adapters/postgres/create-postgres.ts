import type { PostgresSettings } from '../../core/settings.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FollowTarget, Postgres } from '../../ports/postgres.ts';
import type { Logger } from '../../ports/telemetry.ts';
import type { Result } from '../../core/result.ts';
import { createBinaries } from './binaries.ts';
import { clone } from './clone.ts';
import { writeConfiguration } from './configuration.ts';
import { CommitBrake } from './commit-brake.ts';
import type { Context } from './context.ts';
import { hasUnarchivedLog } from './archiving.ts';
import { freeBytes } from './free-space.ts';
import { readEndOfWal } from './end-of-wal.ts';
import { finishBootstrap } from './finish-bootstrap.ts';
import { readHistoryFile, readSourceHistory, walAvailable } from './history.ts';
import { HbaGuard } from './hba-guard.ts';
import { initialise } from './initialise.ts';
import { inspectDataDirectory } from './inspect.ts';
import { launchParameters } from './launch-parameters.ts';
import { prepareStart } from './launch.ts';
import { LocalSession } from './local-session.ts';
import { runHook } from './operator-command.ts';
import { preflight } from './preflight.ts';
import { Prober } from './probe.ts';
import { checkpoint, promote, protectPrimary, reload } from './promotion.ts';
import { rewind } from './rewind.ts';
import { setAside } from './set-aside.ts';
import { recoverSingleUser } from './single-user.ts';
import { reconcileSlots } from './slots.ts';
import { setSynchronousStandbyNames } from './synchronous.ts';

export interface PostgresOptions {
  readonly settings: PostgresSettings;
  readonly scope: string;
  readonly memberName: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Private directory of this agent, beside the data directory and not in it; made if needed. */
  readonly stateDir: string;
}

/** The PostgreSQL 13 to 18 beside the agent, over SQL, its programs and its files. */
export function createPostgres(options: PostgresOptions): Postgres {
  let settings = options.settings;
  const current = (): PostgresSettings => settings;
  const context: Context = {
    settings: current,
    scope: options.scope,
    memberName: options.memberName,
    logger: options.logger,
    clock: options.clock,
    stateDir: options.stateDir,
    binaries: createBinaries(options.clock, current),
  };
  const session = new LocalSession(context);
  const prober = new Prober(context, session);

  const guard = new HbaGuard(context);
  const brake = new CommitBrake(context, session, guard);

  async function rewrite(target: FollowTarget): Promise<Result<void>> {
    const parameters = await launchParameters(context);
    if (!parameters.ok) return parameters;
    const written = await writeConfiguration(context, target, parameters.value, 'open');
    if (!written.ok) return written;
    prober.forgetParameters();
    guard.closeSoon();
    return reload(context, session);
  }

  const rewriteAlone = (target: FollowTarget): Promise<Result<void>> =>
    guard.exclusively(() => rewrite(target));

  return {
    configure(changed) {
      settings = changed;
      session.reset();
    },
    preflight: () => preflight(context),
    inspectDataDirectory: () => inspectDataDirectory(context),
    freeBytes: () => freeBytes(settings.dataDir),
    probe: (timeoutMillis) => prober.probe(timeoutMillis),
    initialise: (bootstrap, job) => initialise(context, bootstrap, job),
    clone: (source, target, job) => clone(context, source, target, job),
    rewind: (source, job) => rewind(context, source, job),
    recoverSingleUser: (job) => recoverSingleUser(context, job),
    readSourceHistory: (source, timeoutMillis) => readSourceHistory(context, source, timeoutMillis),
    walAvailable: (source, timeline, from, timeoutMillis) =>
      walAvailable(context, source, timeline, from, timeoutMillis),
    readOwnHistory: async (timeline) => (await readHistoryFile(settings.dataDir, timeline)) ?? [],
    readEndOfWal: (timeoutMillis) => readEndOfWal(context, timeoutMillis),
    hasUnarchivedLog: () => hasUnarchivedLog(settings.dataDir),
    prepareStart: (target) => guard.exclusively(() => prepareStart(context, target)),
    promote: () => promote(context, session),
    protectPrimary: () => protectPrimary(context),
    follow: rewriteAlone,
    applySettings: rewriteAlone,
    setSynchronousStandbyNames: (value) =>
      setSynchronousStandbyNames(context, session, guard, value),
    holdCommits: (timeoutMillis) => brake.hold(timeoutMillis),
    releaseCommits: () => brake.release(),
    checkpoint: (timeoutMillis) => checkpoint(context, timeoutMillis),
    finishBootstrap: (bootstrap, signal) => finishBootstrap(context, bootstrap, signal),
    reconcileSlots: (wanted, mayDrop) => reconcileSlots(context, session, wanted, mayDrop),
    setAside: (reason) => setAside(context, reason),
    runHook: (command, args, timeoutMillis) => runHook(context, command, args, timeoutMillis),
    close: async () => {
      brake.close();
      await guard.close();
      await session.close();
    },
  };
}
