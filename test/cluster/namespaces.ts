import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../src/demo/command.ts';
import { killProcessesOf, signalProcess } from '../../src/demo/processes.ts';

/** Enters a namespace and becomes the program: no process between, and mounts stay those of everybody. */
export const ENTER = ['nsenter'] as const;

/** Of the run's directory. */
export const PURPOSE = 'chaos';

const NAMESPACE = /^pgbaton-(\d+)-/;
const NAMESPACES = '/run/netns';
const OWNER_FILE = 'owner.pid';
const COMMAND_TIMEOUT_MILLIS = 10_000;

let made = 0;

/** A name that says which process the namespace belongs to; two clusters of one process differ, too. */
export function namespaceName(of: string): string {
  made += 1;
  return `pgbaton-${process.pid}-${made}-${of}`;
}

function existing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nobody has made a namespace on this machine yet; or a directory is gone meanwhile.
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Says in a run's directory whose it is. */
export function markOwner(directory: string): void {
  writeFileSync(join(directory, OWNER_FILE), `${process.pid}\n`);
}

function isLeft(directory: string): boolean {
  try {
    return !isAlive(Number(readFileSync(join(directory, OWNER_FILE), 'utf8')));
  } catch {
    // Not of this suite, not begun, or its logs alone are kept.
    return false;
  }
}

/**
 * Removes what runs have left that were killed without a chance to clean up: their processes and
 * namespaces, their filesystems and files. The pid in every name says whose it was.
 */
export async function sweepDeadRuns(): Promise<void> {
  const command = async (program: string, ...args: string[]): Promise<readonly string[]> =>
    (await runCommand(program, args, { timeoutMillis: COMMAND_TIMEOUT_MILLIS })).lines;
  const namespaces = existing(NAMESPACES).filter((name) => {
    const pid = NAMESPACE.exec(name)?.[1];
    return pid !== undefined && !isAlive(Number(pid));
  });
  for (const name of namespaces) {
    const pids = (await command('ip', 'netns', 'pids', name)).map(Number);
    for (const pid of pids.filter((each) => each > 1)) signalProcess(pid, 'SIGKILL');
    await command('ip', 'netns', 'delete', name);
  }
  const directories = existing(tmpdir())
    .filter((name) => name.startsWith(`pgbaton-${PURPOSE}-`))
    .map((name) => join(tmpdir(), name))
    .filter(isLeft);
  for (const directory of directories) {
    killProcessesOf(directory);
    for (const name of existing(directory))
      await command('umount', '--lazy', join(directory, name));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What hosts are made with, and the Debian package that has it. */
export const PROGRAMS = [
  { program: 'ip', args: ['-V'], packageName: 'iproute2' },
  { program: 'tc', args: ['-V'], packageName: 'iproute2' },
  { program: 'nft', args: ['--version'], packageName: 'nftables' },
  { program: 'nsenter', args: ['--version'], packageName: 'util-linux' },
] as const;

export function hasProgram(program: string, args: readonly string[]): boolean {
  const { status } = spawnSync(program, args, {
    stdio: 'ignore',
    timeout: COMMAND_TIMEOUT_MILLIS,
  });
  return status === 0;
}

/** Why this kernel cannot delay packets; undefined when it can. */
export function whyNoDelay(): string | undefined {
  const name = namespaceName('probe');
  const ip = (...args: string[]): number | null =>
    spawnSync('ip', args, { stdio: 'ignore', timeout: COMMAND_TIMEOUT_MILLIS }).status;
  if (ip('netns', 'add', name) !== 0) return 'the kernel refuses a network namespace';
  const said = spawnSync(
    'tc',
    ['-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'],
    { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MILLIS },
  );
  ip('netns', 'delete', name);
  return said.status === 0 ? undefined : 'the kernel has no netem (CONFIG_NET_SCH_NETEM)';
}

/** Why no hosts can be made on this machine; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are there on Linux alone';
  if (process.getuid?.() !== 0) return 'making network namespaces needs root';
  for (const { program, args, packageName } of PROGRAMS) {
    if (!hasProgram(program, args)) return `${program} is missing: apt-get install ${packageName}`;
  }
  const name = namespaceName('probe');
  const said = spawnSync('ip', ['netns', 'add', name], {
    encoding: 'utf8',
    timeout: COMMAND_TIMEOUT_MILLIS,
  });
  if (said.status !== 0) return `the kernel refuses a network namespace: ${said.stderr.trim()}`;
  spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore', timeout: COMMAND_TIMEOUT_MILLIS });
  return undefined;
}
