import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../../core/result.ts';
import { fail, ok } from '../../core/result.ts';
import { RUN_FILES } from '../../guardian/rundir.ts';

export interface GuardianProgram {
  readonly dataDir: string;
  readonly runDir: string;
  /** The guardian's main.js. */
  readonly executable: string;
  /** How long it stays without anything to do; by default 10 s. */
  readonly idleExitMillis?: number | undefined;
  /** For Node; by default those that keep it small. */
  readonly nodeFlags?: readonly string[] | undefined;
}

export interface StartedProcess {
  /** This Node does not know one of the flags: nothing was started. */
  flagsRefused(): boolean;
  /** Undefined while it runs; else why it ended, with what it printed. */
  ended(): string | undefined;
}

/**
 * Small heaps and no compiler: it keeps a few hundred bytes, calls nothing often enough for machine
 * code to pay, and must be no reason for the memory killer to look at it.
 */
const NODE_FLAGS = [
  '--max-semi-space-size=1',
  '--max-old-space-size=32',
  '--v8-pool-size=1',
  '--lite-mode',
  '--expose-gc',
];
/** Neither Postgres nor its hooks inherit our settings (passwords among them), nor what steers Node. */
const NOT_INHERITED = /^(PATRONI_|PGBATON_|CONSUL_|NODE_|UV_|NOTIFY_|LISTEN_|VITEST)/;
const PRINTED_LENGTH_MAX = 500;
/** Source: Node.js documentation, "Process exit codes". */
const EXIT_INVALID_ARGUMENT = 9;

function inheritedEnvironment(): Record<string, string> {
  const kept: Record<string, string> = { UV_THREADPOOL_SIZE: '2' };
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !NOT_INHERITED.test(name)) kept[name] = value;
  }
  return kept;
}

function readPrinted(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().slice(-PRINTED_LENGTH_MAX);
  } catch {
    return '';
  }
}

/** Starts the guardian in a session of its own: no terminal, and no signal to the agent's group, reaches it. */
export function startGuardianProcess(program: GuardianProgram): Result<StartedProcess> {
  const { dataDir, runDir, executable, idleExitMillis, nodeFlags = NODE_FLAGS } = program;
  const printed = join(runDir, RUN_FILES.startError);
  const args = [...nodeFlags, executable, '--data-dir', dataDir, '--run-dir', runDir];
  if (idleExitMillis !== undefined) args.push('--idle-exit-millis', String(idleExitMillis));
  let descriptor: number;
  try {
    descriptor = openSync(printed, 'w', 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail('guardian-not-started', `the guardian cannot be started: ${reason}`);
  }
  let ended: string | undefined;
  let flagsRefused = false;
  const child = spawn(process.execPath, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
    env: inheritedEnvironment(),
  });
  closeSync(descriptor);
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    flagsRefused = code === EXIT_INVALID_ARGUMENT && nodeFlags.length > 0;
    ended = `it ended with ${signal ?? `code ${code ?? '?'}`}: ${readPrinted(printed)}`;
  });
  child.unref();
  return ok({ ended: () => ended, flagsRefused: () => flagsRefused });
}
