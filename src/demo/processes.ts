import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface RunningProcess {
  readonly pid: number;
  readonly argv: readonly string[];
}

const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** Argument that names the directory or something in it, alone or as `--option=path`. */
function names(directory: string, argument: string): boolean {
  return isWithin(directory, argument.slice(argument.indexOf('=') + 1));
}

function readProcess(pid: number, directory: string): RunningProcess | undefined {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    if (state === 'Z' || state === 'X') return undefined;
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    if (argv.some((argument) => names(directory, argument))) return { pid, argv };
    return isWithin(directory, readlinkSync(`/proc/${pid}/cwd`)) ? { pid, argv } : undefined;
  } catch {
    // Ended meanwhile, or it is somebody else's and hence not ours.
    return undefined;
  }
}

/**
 * Living processes that belong to a directory of ours: it is their working directory or in their
 * arguments. The directory's name is random, so nobody else's process can be meant.
 */
export function processesOf(directory: string): RunningProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => readProcess(pid, directory) ?? []);
}

/** Sends a signal; a process that has ended meanwhile is no fault. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone.
  }
}

const KILL_ROUNDS = 200;
const KILL_PAUSE_MILLIS = 10;

/**
 * SIGKILLs every process of a directory until none is left, as a power cut would. Synchronous, so that
 * it also works while this process exits. Answers the processes of the first round.
 */
export function killProcessesOf(directory: string): RunningProcess[] {
  const first = processesOf(directory);
  let left: readonly RunningProcess[] = first;
  for (let round = 0; left.length > 0 && round < KILL_ROUNDS; round += 1) {
    for (const { pid } of left) signalProcess(pid, 'SIGKILL');
    // Atomics.wait is the one pause that needs no event loop.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, KILL_PAUSE_MILLIS);
    left = processesOf(directory);
  }
  return first;
}

/** Pid in the first line of postmaster.pid; undefined when Postgres is down or the file is half-written. */
export function postmasterPid(dataDir: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'), 10);
    return Number.isInteger(pid) && readlinkSync(`/proc/${pid}/cwd`) === dataDir ? pid : undefined;
  } catch {
    return undefined;
  }
}
