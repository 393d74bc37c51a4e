import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../src/demo/binaries.ts';

const TIMEOUT_MILLIS = 120_000;

export interface Outcome {
  readonly status: number | null;
  /** Both streams. */
  readonly said: string;
}

/** Runs a program of the machine to its end. */
export function runTool(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Outcome {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MILLIS,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', ...env },
  });
  if (error !== undefined) throw error;
  return { status, said: `${stdout}${stderr}` };
}

/** The same, for what must succeed. */
export function must(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const { status, said } = runTool(program, args, env);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${said}`);
  return said;
}

/** `npm run package`. Answers the path of the package. */
export function buildPackage(
  output: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): string {
  const script = join(REPOSITORY, 'src/packaging/package.mjs');
  return must(process.execPath, [script, '--output', output, ...args], env).trim();
}

/** A directory that is a host to dpkg: packages can be installed below it, and their scripts run for it. */
export class DpkgRoot {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    must('mkdir', ['-p', join(path, 'var/lib/dpkg/info'), join(path, 'var/lib/dpkg/updates')]);
    must('mkdir', ['-p', join(path, 'etc')]);
    must('touch', [join(path, 'var/lib/dpkg/status')]);
  }

  /** What the package depends on is on the machine itself, whose programs its scripts run. */
  dpkg(...args: string[]): Outcome {
    return runTool('dpkg', [
      `--root=${this.path}`,
      '--force-depends',
      '--force-script-chrootless',
      '--force-not-root',
      ...args,
    ]);
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  list(path: string): string[] {
    return readdirSync(join(this.path, path)).toSorted();
  }
}
