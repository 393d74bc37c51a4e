import type { Millis } from '../core/time.ts';
import { bootMillis } from './boottime.ts';
import {
  findRunning,
  isRunning,
  listChildren,
  listPids,
  readDirectoryIdentity,
  readExecutableName,
  readProcess,
  signalExactly,
  worksIn,
} from './procfs.ts';
import type { DirectoryIdentity, ProcessFacts, ProcessIdentity } from './procfs.ts';

/*
 * How a server is stopped so that no backend acknowledges any more. A signal to the process group
 * reaches the postmaster alone (each of its children has a session of its own), a backend learns of
 * the postmaster's death only when it next waits, and a stopped postmaster forwards nothing. So:
 * stop the postmaster from forking, kill each child, kill the postmaster, then look for what is left.
 */

export interface FenceTarget {
  /** When known: its children are found without a look at all processes of the host. */
  readonly postmaster: ProcessIdentity | undefined;
  /** Undefined when there is no data directory: then only the postmaster and its children are known. */
  readonly directory: DirectoryIdentity | undefined;
  /** Names of the server's program; an operator's shell that stands in the data directory is no server. */
  readonly executableNames: readonly string[];
}

export interface FenceReport {
  /** True: no process of the server is left. */
  readonly proved: boolean;
  readonly killed: number;
  readonly tookMillis: Millis;
  /** What would not die, for example in an uninterruptible wait for a disk. */
  readonly remaining: readonly ProcessFacts[];
}

const SERVER_EXECUTABLES: readonly string[] = ['postgres', 'postmaster'];

/** How long the stopped postmaster's children are re-read while it is not yet seen stopped. */
const STRIKE_BOUND_MILLIS = 20;
const POLL_FIRST_MILLIS = 0.5;
const POLL_LAST_MILLIS = 20;

/** Target for a data directory; resolves it, so that later renames of it do not matter. */
export function targetOf(
  dataDir: string,
  postmaster: ProcessIdentity | undefined,
  executableName?: string,
): FenceTarget {
  const executableNames =
    executableName === undefined ? SERVER_EXECUTABLES : [...SERVER_EXECUTABLES, executableName];
  return { postmaster, directory: readDirectoryIdentity(dataDir), executableNames };
}

function isServer(pid: number, target: FenceTarget): boolean {
  if (target.directory === undefined) return false;
  const name = readExecutableName(pid);
  if (name === undefined || !target.executableNames.includes(name)) return false;
  return worksIn(pid, target.directory);
}

/** All that was ever found to belong to the server, so that orphans are still known as its own. */
class Members {
  readonly #startTicks = new Map<number, number>();

  add(process: ProcessIdentity): void {
    this.#startTicks.set(process.pid, process.startTicks);
  }

  has(process: ProcessIdentity): boolean {
    return this.#startTicks.get(process.pid) === process.startTicks;
  }

  /** A session is named after the process that began it; a member's own helpers stay in it as orphans. */
  began(session: number): boolean {
    return this.#startTicks.has(session);
  }

  get size(): number {
    return this.#startTicks.size;
  }
}

/** Every running process of the server, by one look at all processes of the host. */
function findMembers(target: FenceTarget, members: Members): ProcessFacts[] {
  const all = new Map<number, ProcessFacts>();
  for (const pid of listPids()) {
    const facts = readProcess(pid);
    if (facts !== undefined && isRunning(facts) && pid !== process.pid) all.set(pid, facts);
  }
  const found = new Map<number, ProcessFacts>();
  const directory = target.directory;
  for (const facts of all.values()) {
    const orphan =
      members.began(facts.session) && directory !== undefined && worksIn(facts.pid, directory);
    if (members.has(facts) || orphan || isServer(facts.pid, target)) found.set(facts.pid, facts);
  }
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const facts of all.values()) {
      if (found.has(facts.parentPid)) found.set(facts.pid, facts);
    }
  }
  for (const facts of found.values()) members.add(facts);
  return [...found.values()];
}

/** Processes of a server on this data directory, the one that started the others first. */
export function findServer(target: FenceTarget): ProcessFacts[] {
  const found = findMembers(target, new Members());
  const pids = new Set(found.map((facts) => facts.pid));
  const isTop = (facts: ProcessFacts): boolean => !pids.has(facts.parentPid);
  return [...found.filter(isTop), ...found.filter((facts) => !isTop(facts))];
}

/** SIGKILL for the children of a stopped process, re-read until none is new. */
function killChildren(parent: ProcessIdentity, members: Members): void {
  const until = bootMillis() + STRIKE_BOUND_MILLIS;
  for (;;) {
    const stopped = findRunning(parent)?.state;
    let fresh = 0;
    for (const pid of listChildren(parent.pid)) {
      const child = readProcess(pid);
      if (child === undefined || !isRunning(child) || members.has(child)) continue;
      // A helper of a child, say of the archiver, is orphaned by its death: remember it before.
      for (const grandchild of listChildren(pid)) {
        const facts = readProcess(grandchild);
        if (facts !== undefined) members.add(facts);
      }
      members.add(child);
      signalExactly(child, 'SIGKILL');
      fresh += 1;
    }
    const cannotFork = stopped === undefined || stopped === 'T' || stopped === 't';
    if ((fresh === 0 && cannotFork) || bootMillis() > until) return;
  }
}

function strike(target: FenceTarget, members: Members): void {
  let tops: readonly ProcessIdentity[];
  if (target.postmaster !== undefined && findRunning(target.postmaster) !== undefined) {
    tops = [target.postmaster];
  } else {
    const found = findServer(target);
    const pids = new Set(found.map((facts) => facts.pid));
    tops = found.filter((facts) => !pids.has(facts.parentPid));
  }
  for (const top of tops) {
    members.add(top);
    signalExactly(top, 'SIGSTOP');
  }
  for (const top of tops) killChildren(top, members);
  for (const top of tops) signalExactly(top, 'SIGKILL');
}

const pause = (millis: Millis): Promise<void> =>
  new Promise((resolve) => {
    if (millis < 1) setImmediate(resolve);
    else setTimeout(resolve, millis);
  });

/**
 * Kills every process of the server and answers when none is left, or at the bound with what is.
 * The killing itself is done before this returns to its caller; only the proof is waited for.
 * Signals nothing whose start time or data directory differs. Touches no file.
 */
export async function fenceServer(target: FenceTarget, boundMillis: Millis): Promise<FenceReport> {
  const begin = bootMillis();
  const members = new Members();
  strike(target, members);
  for (let wait = POLL_FIRST_MILLIS; ; wait = Math.min(wait * 2, POLL_LAST_MILLIS)) {
    const remaining = findMembers(target, members);
    const tookMillis = bootMillis() - begin;
    if (remaining.length === 0) {
      return { proved: true, killed: members.size, tookMillis, remaining };
    }
    for (const facts of remaining) signalExactly(facts, 'SIGKILL');
    if (tookMillis >= boundMillis) {
      return { proved: false, killed: members.size, tookMillis, remaining };
    }
    await pause(wait);
  }
}
