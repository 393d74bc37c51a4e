import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/** A process that cannot be mistaken for a later one with the same number. Source: proc(5), field 22 of stat. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started. */
  readonly startTicks: number;
}

export interface ProcessFacts extends ProcessIdentity {
  readonly parentPid: number;
  readonly session: number;
  /** `R`, `S`, `D`, `T`, `Z` and so on. */
  readonly state: string;
}

/** A directory by what it is, not by what it is called. */
export interface DirectoryIdentity {
  readonly device: number;
  readonly inode: number;
}

// Positions behind the closing parenthesis of the name, which itself may hold blanks and parentheses.
const STATE = 0;
const PARENT = 1;
const SESSION = 3;
const START = 19;

export function parseStat(pid: number, text: string): ProcessFacts | undefined {
  const close = text.lastIndexOf(')');
  if (close < 0) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const state = fields[STATE];
  const startTicks = Number(fields[START]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) return undefined;
  return {
    pid,
    startTicks,
    state,
    parentPid: Number(fields[PARENT]),
    session: Number(fields[SESSION]),
  };
}

/** Undefined when there is no such process. */
export function readProcess(pid: number): ProcessFacts | undefined {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** A zombie has closed all that it had open and runs no more; it only waits for its parent. */
export const isRunning = (facts: ProcessFacts): boolean =>
  facts.state !== 'Z' && facts.state !== 'X';

/** The very process, still running; undefined when it has ended or its number belongs to another now. */
export function findRunning(identity: ProcessIdentity): ProcessFacts | undefined {
  const facts = readProcess(identity.pid);
  if (facts === undefined || facts.startTicks !== identity.startTicks) return undefined;
  return isRunning(facts) ? facts : undefined;
}

export function listPids(): number[] {
  const pids: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && pid > 0) pids.push(pid);
  }
  return pids;
}

/** Children by the kernel's own list where it has one, else by a look at every process. */
export function listChildren(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return listPids().filter((candidate) => readProcess(candidate)?.parentPid === pid);
  }
}

/** File name of the program that a process runs; undefined when it has ended or is not ours to look at. */
export function readExecutableName(pid: number): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

export function readDirectoryIdentity(path: string): DirectoryIdentity | undefined {
  try {
    const found = statSync(path);
    return found.isDirectory() ? { device: found.dev, inode: found.ino } : undefined;
  } catch {
    return undefined;
  }
}

export function worksIn(pid: number, directory: DirectoryIdentity): boolean {
  const found = readDirectoryIdentity(`/proc/${pid}/cwd`);
  return found?.device === directory.device && found.inode === directory.inode;
}

/**
 * Sends a signal to exactly that process: its start time is compared first.
 * Answers false when it has ended, or when the system refuses (it belongs to another user).
 */
export function signalExactly(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (findRunning(identity) === undefined) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}
