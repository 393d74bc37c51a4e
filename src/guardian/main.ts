import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Result } from '../core/result.ts';
import { fail, ok } from '../core/result.ts';
import type { Millis } from '../core/time.ts';
import { bootMillis } from './boottime.ts';
import { GuardianCore } from './guardian.ts';
import type { Hardening } from './hardening.ts';
import { harden } from './hardening.ts';
import { Journal } from './journal.ts';
import type { Lock } from './lock.ts';
import { acquireLock } from './lock.ts';
import { Postmaster } from './postmaster.ts';
import { readOver, RunRecord } from './record.ts';
import { chooseSocketPath, preparePrivateDirectory } from './rundir.ts';
import { GuardianServer } from './server.ts';
import { Thrift } from './thrift.ts';
import { Watchdog } from './watchdog.ts';
import { openDevice } from './watchdog-device.ts';

/*
 * The guardian's process: `node guardian/main.js --data-dir DIR --run-dir DIR`. It is started
 * detached by the agent, ends by itself when it guards nothing and nobody asks, and is the parent
 * of the postmaster. It imports nothing but Node's own modules, all of them at its start: an upgrade
 * may replace its files while it runs.
 */

const EXIT_REFUSED = 69;
const EXIT_BUG = 70;
const SETTLE_MILLIS = 200;

interface Options {
  readonly dataDir: string;
  readonly runDir: string;
  readonly idleExitMillis: Millis;
}

function readOptions(): Result<Options> {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      'run-dir': { type: 'string' },
      'idle-exit-millis': { type: 'string', default: '10000' },
    },
  });
  const dataDir = values['data-dir'];
  const runDir = values['run-dir'];
  const idleExitMillis = Number(values['idle-exit-millis']);
  if (dataDir === undefined || runDir === undefined || !Number.isFinite(idleExitMillis)) {
    return fail('usage', 'usage: main.js --data-dir DIR --run-dir DIR [--idle-exit-millis N]');
  }
  return ok({ dataDir: resolvePath(dataDir), runDir, idleExitMillis });
}

function resolvePath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It may be made later.
    return path;
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(EXIT_REFUSED);
}

function logStart(
  journal: Journal,
  { deathSignalPrefix, protectedFromMemoryKill, raisedFrom }: Hardening,
  paths: Readonly<Record<string, string>>,
): void {
  journal.log('info', 'guardian started', {
    ...paths,
    deathSignal: deathSignalPrefix.length > 0,
    protectedFromMemoryKill,
    priorityRaised: raisedFrom !== undefined,
  });
  if (deathSignalPrefix.length === 0) {
    journal.log('warn', 'setpriv of util-linux is missing: Postgres would outlive this guardian');
  }
}

/** The one guardian of this run directory, or none. */
function claim(
  dataDir: string,
  runDir: string,
): { readonly socketPath: string; readonly lock: Lock } {
  process.umask(0o077);
  const prepared = preparePrivateDirectory(runDir);
  if (!prepared.ok) refuse(prepared.error.message);
  const socketPath = chooseSocketPath(runDir);
  if (!socketPath.ok) refuse(socketPath.error.message);
  const lock = acquireLock(runDir, dataDir, socketPath.value);
  if (!lock.ok) refuse(lock.error.message);
  return { socketPath: socketPath.value, lock: lock.value };
}

function createWatchdog(journal: Journal, onChange: () => void): Watchdog {
  return new Watchdog({
    now: bootMillis,
    timer: (delayMillis, callback) => {
      const timer = setTimeout(callback, delayMillis);
      return () => {
        clearTimeout(timer);
      };
    },
    open: openDevice,
    log: (level, message, fields) => {
      journal.log(level, message, fields);
    },
    onChange,
  });
}

async function run({ dataDir, runDir, idleExitMillis }: Options): Promise<void> {
  const { socketPath, lock } = claim(dataDir, runDir);
  const journal = new Journal(runDir);
  const hardening = await harden();
  let idleTimer: NodeJS.Timeout | undefined;

  const end = async (): Promise<void> => {
    server.close();
    core.close();
    journal.log('info', 'guardian ends');
    await journal.settle(SETTLE_MILLIS);
    lock.release();
    process.exit(0);
  };
  const reconsider = (): void => {
    clearTimeout(idleTimer);
    if (!core.idle || server.clientCount > 0) return;
    idleTimer = setTimeout(() => void end(), idleExitMillis);
  };
  const onChange = (): void => {
    server.pushState();
    reconsider();
  };
  const postmaster = new Postmaster(dataDir, journal, hardening, onChange);
  const core = new GuardianCore({
    postmaster,
    record: new RunRecord(runDir),
    over: readOver(runDir),
    watchdog: createWatchdog(journal, onChange),
    journal,
    onChange,
    onShutdown: () => void end(),
  });
  const thrift = new Thrift(() => postmaster.fencing === null);
  const server = new GuardianServer({
    socketPath,
    journal,
    state: () => core.state(),
    handle: (request) => {
      // Behind the answer, which is written before the next turn of the event loop begins.
      setImmediate(() => {
        thrift.answered();
      });
      if (request.type === 'launch') thrift.expectWork();
      return core.handle(request);
    },
    onClients: reconsider,
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void core.terminate(signal));
  }
  process.on('SIGHUP', () => undefined);
  process.on('uncaughtException', (error) => {
    // A bug: nothing here can be trusted any more, least of all a deadline. Dying takes Postgres
    // down by the kernel's signal; killing it first does so for sure. Both are begun synchronously.
    if (postmaster.state.kind === 'up') void postmaster.fence('fenced', 'the guardian has a bug');
    journal.logNow('error', 'bug: fenced and ended', { error: error.stack ?? error.message });
    process.exit(EXIT_BUG);
  });

  // Several may have found the same dead holder: the file tells which of them is left.
  if (!lock.held()) refuse('another guardian of this run directory has started');
  const listening = await server.listen();
  if (!listening.ok) {
    lock.release();
    refuse(listening.error.message);
  }
  logStart(journal, hardening, {
    dataDir,
    socket: socketPath,
    log: join(runDir, 'guardian.log'),
  });
  reconsider();
  thrift.expectWork();
}

const options = readOptions();
if (!options.ok) refuse(options.error.message);
await run(options.value);
