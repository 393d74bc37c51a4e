import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { readBootId } from '../../guardian/boottime.ts';
import { findRunning, readProcess, signalExactly } from '../../guardian/procfs.ts';
import type { ProcessIdentity } from '../../guardian/procfs.ts';

const holderSchema = z.object({ pid: z.int(), startTicks: z.number(), bootId: z.string() });
const ATTEMPTS_MAX = 20;
const PAUSE_MILLIS = 50;

/**
 * One agent for one data directory, for life. A stopped holder (SIGSTOP, debugger) would wake up
 * later and act on what it knew: it is killed. A running one is left alone and this process refuses.
 */
export async function lockAgent(
  stateDir: string,
): Promise<Result<{ readonly release: () => void }>> {
  const path = join(stateDir, 'agent.pid');
  const own = {
    pid: process.pid,
    startTicks: readProcess(process.pid)?.startTicks ?? 0,
    bootId: readBootId(),
  };
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, `${JSON.stringify(own)}\n`, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        if (tryLink(fresh, path))
          return ok({
            release: () => {
              remove(path);
            },
          });
        const holder = readHolder(path);
        const living = holder === undefined ? undefined : findRunning(holder);
        if (holder === undefined || living === undefined) remove(path);
        else if (living.state === 'T' || living.state === 't') signalExactly(holder, 'SIGKILL');
        else return alreadyRunning(holder.pid, stateDir);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
      }
      return fail('agent-lock', `${path} could not be taken`, 'end the other agent of this member');
    } finally {
      remove(fresh);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      'agent-lock',
      `${path} cannot be written: ${reason}`,
      'make that directory writable for the user that runs the agent, or set PGBATON_STATE_DIR',
    );
  }
}

/** Code of the failure that another process is the agent here. */
export const ALREADY_RUNNING = 'agent-already-running';

const alreadyRunning = (pid: number, stateDir: string): Result<never> =>
  fail(
    ALREADY_RUNNING,
    `process ${pid} is the agent of this member (${stateDir})`,
    'stop it first; one data directory has one agent',
  );

function tryLink(fresh: string, path: string): boolean {
  try {
    linkSync(fresh, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (!parsed.success || parsed.data.bootId !== readBootId()) return undefined;
    return parsed.data;
  } catch {
    return undefined;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}
