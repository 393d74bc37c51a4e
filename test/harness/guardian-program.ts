import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { bootMillis } from '../../src/guardian/boottime.ts';
import { findRunning, readProcess, signalExactly } from '../../src/guardian/procfs.ts';
import type { ProcessIdentity } from '../../src/guardian/procfs.ts';
import { readLock } from '../../src/guardian/lock.ts';
import { instant } from '../../src/core/time.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/telemetry.ts';

/*
 * The guardian is a process of its own, and this Node runs no TypeScript: its sources are compiled,
 * unchecked and in milliseconds, into a temporary directory that goes away with the test.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = ['src/core', 'src/ports', 'src/guardian', 'src/adapters/guardian', 'test/harness'];

export interface GuardianProgram {
  /** The guardian's main.js. */
  readonly executable: string;
  /** A small agent that arms a guardian until it is killed: test/harness/guardian-agent.ts. */
  readonly agent: string;
  remove(): void;
}

export function compileGuardian(): GuardianProgram {
  const target = mkdtempSync(join(tmpdir(), 'pgbaton-guardian-program-'));
  writeFileSync(join(target, 'package.json'), '{"type":"module"}');
  for (const part of PARTS) {
    for (const name of readdirSync(join(ROOT, part))) {
      if (!name.endsWith('.ts') || (part === 'test/harness' && name !== 'guardian-agent.ts')) {
        continue;
      }
      const source = join(ROOT, part, name);
      const output = join(target, relative(ROOT, source)).replace(/\.ts$/, '.js');
      const compiled = ts.transpileModule(readFileSync(source, 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ES2022,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      });
      mkdirSync(dirname(output), { recursive: true });
      writeFileSync(output, compiled.outputText);
    }
  }
  return {
    executable: join(target, 'src/guardian/main.js'),
    agent: join(target, 'test/harness/guardian-agent.js'),
    remove: () => {
      rmSync(target, { recursive: true, force: true });
    },
  };
}

/** The clock of the real agent: boot time, so that it and the guardian agree. */
export const hostClock: Clock = {
  now: () => instant(bootMillis()),
  wall: () => Date.now(),
  timer: (delay, callback) => {
    const timer = setTimeout(callback, Math.max(0, delay));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** That of an agent that never asks by itself: what it learns, it was told. */
export const unaskingClock: Clock = {
  ...hostClock,
  timer: (delay, callback) => (delay < 1000 ? hostClock.timer(delay, callback) : () => undefined),
};

export const silentLogger: Logger = { log: () => undefined };

/** Waits for a condition, looked at every few milliseconds, and says what it was when it never came true. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  boundMillis = 10_000,
): Promise<void> {
  const end = bootMillis() + boundMillis;
  while (!(await condition())) {
    if (bootMillis() > end) throw new Error(`not within ${boundMillis} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

export function identify(pid: number): ProcessIdentity {
  const facts = readProcess(pid);
  if (facts === undefined) throw new Error(`process ${pid} does not run`);
  return { pid, startTicks: facts.startTicks };
}

export const runs = (identity: ProcessIdentity): boolean => findRunning(identity) !== undefined;

/** What a guardian may need for itself: newer versions of Node begin with more. */
export const GUARDIAN_MEMORY_MAX_KILOBYTES =
  (Number(process.versions.node.split('.')[0]) < 22 ? 8 : 14) * 1024;

/** Private memory of a process, as the memory killer counts it besides shared pages. Source: proc(5). */
export function readPrivateKilobytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]);
}

/** Ends the guardian of a run directory, if one lives. */
export async function endGuardian(
  runDir: string,
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
): Promise<void> {
  const found = readLock(runDir);
  if (found === undefined) return;
  signalExactly(found, signal);
  await until('the guardian is gone', () => !runs(found));
}

export function readGuardianLog(runDir: string): Record<string, unknown>[] {
  return readFileSync(join(runDir, 'guardian.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
