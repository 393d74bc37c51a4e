import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { killProcessesOf } from './processes.ts';
import { DemoError } from './demo-error.ts';

/** The account that PostgreSQL runs under; undefined when this is no root and everything is one account. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const ACCOUNT_NAME = 'postgres';
/** Logs of PostgreSQL and of the guardian, and the agent's journal. */
const LOG_NAME = /\.(log|jsonl)$/;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Postgres refuses to run as root, so root's clusters run under the account that its package made. */
function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${ACCOUNT_NAME}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) {
    throw new DemoError(
      `PostgreSQL does not run as root, and there is no account "${ACCOUNT_NAME}": create it ` +
        '(useradd --system postgres), or run this as another user',
    );
  }
  return { name: ACCOUNT_NAME, uid: Number(uid), gid: Number(gid) };
}

/**
 * One temporary directory for everything that a run starts and writes. Whatever way this process
 * ends, its processes are killed and its files removed, except logs that somebody has to read.
 */
export class RunDirectory {
  readonly path: string;
  readonly logs: string;
  readonly account: Account | undefined;
  readonly #releases: (() => void)[] = [];
  #keepLogs = false;
  #removed = false;
  readonly #atExit = (): void => {
    this.remove();
  };
  readonly #atSignal: (signal: NodeJS.Signals) => void;

  /** `onSignal` replaces what SIGINT, SIGTERM and SIGHUP do: clean up and exit with 128 + number. */
  constructor(purpose: string, onSignal?: (signal: NodeJS.Signals) => void) {
    this.#atSignal =
      onSignal ??
      ((signal): void => {
        this.remove();
        process.exit(128 + constants.signals[signal]);
      });
    this.account = postgresAccount();
    // The real path, because the kernel shows that one for working directories.
    this.path = mkdtempSync(join(realpathSync(tmpdir()), `pgbaton-${purpose}-`));
    // Others must be able to pass through, secrets are in files of mode 0600 below.
    chmodSync(this.path, 0o755);
    this.logs = join(this.path, 'logs');
    mkdirSync(this.logs);
    process.on('exit', this.#atExit);
    for (const signal of SIGNALS) process.on(signal, this.#atSignal);
  }

  /** A directory of the Postgres account, mode 0700. */
  makePrivateFolder(name: string): string {
    const folder = join(this.path, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.giveToAccount(folder);
    return folder;
  }

  giveToAccount(path: string): void {
    if (this.account !== undefined) chownSync(path, this.account.uid, this.account.gid);
  }

  logFile(name: string): string {
    return join(this.logs, `${name}.log`);
  }

  /**
   * What else this run has taken of the machine, such as mounts: `release` is called when its processes
   * have been killed, before its files go. Synchronous, because it may be while this process exits.
   */
  whenRemoved(release: () => void): void {
    this.#releases.push(release);
  }

  keepLogs(): void {
    this.#keepLogs = true;
  }

  /** Copies the logs that the members wrote below their own folders to the others. */
  #collectLogs(): void {
    for (const entry of readdirSync(this.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !LOG_NAME.test(path) || path.startsWith(this.logs)) continue;
      copyFileSync(path, join(this.logs, path.slice(this.path.length + 1).replaceAll('/', '-')));
    }
  }

  /** Kills what still runs and removes the files; once, and without an exception at exit. */
  remove(): void {
    if (this.#removed) return;
    this.#removed = true;
    killProcessesOf(this.path);
    if (this.#keepLogs) this.#collectLogs();
    for (const release of this.#releases.reverse()) release();
    for (const name of readdirSync(this.path)) {
      if (this.#keepLogs && name === 'logs') continue;
      rmSync(join(this.path, name), { recursive: true, force: true, maxRetries: 3 });
    }
    if (!this.#keepLogs) rmSync(this.path, { recursive: true, force: true });
    // Last, so that no signal cuts the removal short.
    process.off('exit', this.#atExit);
    for (const signal of SIGNALS) process.off(signal, this.#atSignal);
  }
}
