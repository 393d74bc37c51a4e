import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY } from '../../src/demo/binaries.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import type { Account, RunDirectory } from '../../src/demo/run-directory.ts';
import type { Millis } from '../../src/core/time.ts';

export interface Ended {
  /** Exit code; a signal's name when it was killed. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Killed after this: no program of a test runs on. */
  readonly timeoutMillis?: Millis;
  readonly account?: Account | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

const TIMEOUT_MILLIS = 60_000;

/** Runs a program to its end and answers what it said. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    // Nobody is there to answer a question.
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: false,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', ...options.env },
    timeout: options.timeoutMillis ?? TIMEOUT_MILLIS,
    killSignal: 'SIGKILL',
    ...(options.account === undefined
      ? {}
      : { uid: options.account.uid, gid: options.account.gid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? signal ?? 'unknown', stdout, stderr });
    });
  });
}

/** `pgbaton` as a person runs it, with the configuration of one member. */
export async function pgbaton(member: DemoMember, ...args: string[]): Promise<Ended> {
  return runProgram(process.execPath, [
    join(REPOSITORY, 'dist/cli.js'),
    '-c',
    member.configFile,
    ...args,
  ]);
}

/** The agent in the foreground until it ends by itself; for configurations it has to refuse. */
export async function runAgentToItsEnd(
  run: RunDirectory,
  configFile: string,
  timeoutMillis: Millis = 20_000,
): Promise<Ended> {
  const env = run.account === undefined ? {} : { PGBATON_USER: run.account.name };
  return runProgram(process.execPath, [join(REPOSITORY, 'dist/main.js'), configFile], {
    env: { HOME: run.path, ...env },
    timeoutMillis,
  });
}
