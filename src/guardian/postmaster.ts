import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { access, constants, open } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import type { Result } from '../core/result.ts';
import { done, fail, ok } from '../core/result.ts';
import type { Millis } from '../core/time.ts';
import { bootMillis } from './boottime.ts';
import type { FenceReport, FenceTarget } from './fence.ts';
import { fenceServer, findServer, targetOf } from './fence.ts';
import { freezeServer, thawServer } from './freeze.ts';
import type { Hardening } from './hardening.ts';
import type { Journal } from './journal.ts';
import type { ProcessIdentity } from './procfs.ts';
import { readProcess, signalExactly } from './procfs.ts';
import type { ExitCause, StopMode, WireCommand, WirePostmaster } from './protocol.ts';

/** How long one attempt at proving a fence lasts before it is reported and tried again. */
const PROOF_BOUND_MILLIS = 500;

interface Running extends ProcessIdentity {
  readonly child: ChildProcess;
  readonly startedAt: number;
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * The postmaster as this process's own child: its number cannot be reused before it is reaped, and
 * its exit is known at once. "Down" means that no process of the server is left, not only that the
 * postmaster has gone: an orphaned backend still acknowledges what it is at.
 */
export class Postmaster {
  readonly #dataDir: string;
  readonly #journal: Journal;
  readonly #hardening: Hardening;
  readonly #onChange: () => void;
  #running: Running | undefined;
  #launching = false;
  #ended: { readonly code: number | null; readonly signal: string | null } | undefined;
  #cause: ExitCause | undefined;
  #state: WirePostmaster = { kind: 'down', exit: null };
  #target: FenceTarget | undefined;
  #sweep: Promise<FenceReport> | undefined;
  #sweepReason: string | null = null;
  #awaitDown: (() => void)[] = [];

  constructor(dataDir: string, journal: Journal, hardening: Hardening, onChange: () => void) {
    this.#dataDir = dataDir;
    this.#journal = journal;
    this.#hardening = hardening;
    this.#onChange = onChange;
  }

  get state(): WirePostmaster {
    return this.#state;
  }

  /** Why a fence is under way; null when none is. */
  get fencing(): string | null {
    return this.#sweepReason;
  }

  /** No process of a server is left on the data directory, whoever had started it. */
  get isGone(): boolean {
    return (
      this.#state.kind === 'down' &&
      this.#sweep === undefined &&
      findServer(targetOf(this.#dataDir, undefined)).length === 0
    );
  }

  get deathSignal(): boolean {
    return this.#hardening.deathSignalPrefix.length > 0;
  }

  /** Fails when a server runs on the data directory already, or the program or log cannot be opened. */
  async launch(command: WireCommand): Promise<Result<{ readonly pid: number }>> {
    if (this.#launching || this.#running !== undefined || this.#sweep !== undefined) {
      return fail('postmaster-running', 'a postmaster is running, starting or being fenced here');
    }
    this.#launching = true;
    try {
      const target = targetOf(this.#dataDir, undefined, basename(command.executable));
      const refusal = await this.#refuse(command, target);
      if (!refusal.ok) return refusal;
      this.#target = target;
      const log = await open(command.logFile, 'a', 0o600).catch(reasonOf);
      if (typeof log === 'string') {
        return fail(
          'postmaster-log-unwritable',
          `the log of Postgres cannot be opened: ${log}`,
          `let the user that runs pgbaton write ${command.logFile}`,
        );
      }
      return await this.#spawn(command, log);
    } finally {
      this.#launching = false;
    }
  }

  async #refuse(command: WireCommand, target: FenceTarget): Promise<Result<void>> {
    const asked = targetOf(command.dataDir, undefined).directory;
    if (target.directory === undefined) {
      return fail('data-directory-missing', `there is no data directory ${this.#dataDir}`);
    }
    if (asked?.inode !== target.directory.inode || asked.device !== target.directory.device) {
      return fail(
        'data-directory-other',
        `this guardian guards ${this.#dataDir}, not ${command.dataDir}`,
      );
    }
    const foreign = findServer(target)[0];
    if (foreign !== undefined) {
      return fail(
        'postmaster-foreign',
        `process ${foreign.pid} runs Postgres on ${this.#dataDir} and was not started by this guardian`,
        'stop it; Postgres is started by pgbaton only',
      );
    }
    const reason = await access(command.executable, constants.X_OK).then(() => '', reasonOf);
    if (reason !== '') {
      return fail('postgres-not-executable', `Postgres cannot be run: ${reason}`);
    }
    return done;
  }

  async #spawn(command: WireCommand, log: FileHandle): Promise<Result<{ readonly pid: number }>> {
    const words = [...this.#hardening.deathSignalPrefix, command.executable, ...command.args];
    const { UV_THREADPOOL_SIZE: _own, ...inherited } = process.env;
    const startedAt = bootMillis();
    const child = spawn(words[0] ?? command.executable, words.slice(1), {
      cwd: this.#dataDir,
      env: { ...inherited, ...this.#hardening.environment, ...command.env },
      // A session of its own: no terminal and no signal to the guardian's group reaches it.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const failed = new Promise<string>((resolve) => {
      child.once('error', (error) => {
        resolve(error.message);
      });
    });
    const pid = child.pid;
    if (pid === undefined) {
      const reason = await failed;
      await log.close();
      return fail('postmaster-not-started', `Postgres could not be started: ${reason}`);
    }
    // Not reaped before the next turn of the event loop, so this is that very process.
    const startTicks = readProcess(pid)?.startTicks ?? 0;
    this.#lowerPriority(pid);
    const running: Running = { child, pid, startTicks, startedAt };
    this.#running = running;
    this.#cause = undefined;
    this.#ended = undefined;
    this.#target = this.#target && { ...this.#target, postmaster: { pid, startTicks } };
    child.once('exit', (code, signal) => {
      this.#onExit(running, code, signal);
    });
    this.#state = { kind: 'up', pid, startedAt, startTicks };
    this.#journal.log('info', 'postmaster started', { postmaster: pid });
    this.#onChange();
    await log.close();
    return ok({ pid });
  }

  #lowerPriority(pid: number): void {
    if (this.#hardening.raisedFrom === undefined) return;
    try {
      setPriority(pid, this.#hardening.raisedFrom);
    } catch {
      // It has ended already.
    }
  }

  #onExit(running: Running, code: number | null, signal: string | null): void {
    if (this.#running !== running) return;
    this.#ended = { code, signal };
    this.#journal.log('info', 'postmaster exited', { postmaster: running.pid, code, signal });
    void this.#startSweep('the postmaster has exited');
  }

  /** SIGINT or SIGQUIT; answers when nothing of the server is left, or `stop-timed-out` at the bound. */
  async stop(mode: StopMode, timeoutMillis: Millis): Promise<Result<void>> {
    const running = this.#running;
    if (running === undefined) return done;
    this.#cause ??= 'stopped';
    const signal = mode === 'fast' ? 'SIGINT' : 'SIGQUIT';
    this.#journal.log('info', 'stopping the postmaster', { postmaster: running.pid, mode });
    signalExactly(running, signal);
    if (await this.#isDownWithin(timeoutMillis)) return done;
    return fail(
      'stop-timed-out',
      `Postgres has not ended ${Math.round(timeoutMillis)} ms after a ${mode} stop`,
    );
  }

  /**
   * Kills every process of the server: done before this first waits. Answers when it is proved, and
   * goes on trying until then.
   */
  async fence(cause: 'deadline' | 'fenced', reason: string): Promise<FenceReport> {
    const wasRunning = this.#running !== undefined;
    if (this.#ended === undefined) this.#cause = cause;
    const report = await this.#startSweep(reason);
    // Dead already: only its reaping is waited for, so that whoever asked finds it down.
    if (wasRunning) await this.#isDownWithin(PROOF_BOUND_MILLIS);
    return report;
  }

  /** Answers when no fence is under way any more. */
  async proved(): Promise<void> {
    while (this.#sweep !== undefined) await this.#sweep;
  }

  /** Answers how many processes stand still; 0: none of this server runs. */
  freeze(): number {
    return this.#running === undefined || this.#target === undefined
      ? 0
      : freezeServer(this.#target);
  }

  /** Never while it is being fenced: its postmaster is stopped so that it forks no more. */
  thaw(): number {
    return this.#sweep === undefined && this.#target !== undefined ? thawServer(this.#target) : 0;
  }

  #isDownWithin(boundMillis: Millis): Promise<boolean> {
    if (this.#running === undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, boundMillis);
      this.#awaitDown.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #startSweep(reason: string): Promise<FenceReport> {
    if (this.#sweep === undefined) {
      this.#sweepReason = reason;
      this.#sweep = this.#sweepUntilProved(reason);
    }
    return this.#sweep;
  }

  async #sweepUntilProved(reason: string): Promise<FenceReport> {
    let killed = 0;
    let tookMillis = 0;
    for (let attempt = 1; ; attempt += 1) {
      const report = await fenceServer(
        this.#target ?? targetOf(this.#dataDir, undefined),
        PROOF_BOUND_MILLIS,
      );
      killed = Math.max(killed, report.killed);
      tookMillis += report.tookMillis;
      if (report.proved) {
        this.#sweep = undefined;
        this.#sweepReason = null;
        if (killed > 0) {
          this.#journal.log('warn', 'server fenced', { reason, killed, tookMillis });
        }
        this.#settle();
        return { ...report, killed, tookMillis };
      }
      const remaining = report.remaining.map(({ pid, state }) => ({ pid, state }));
      this.#journal.log('error', 'fence NOT PROVED: processes of the server will not die', {
        reason,
        attempt,
        remaining,
      });
      if (attempt === 1) this.#onChange();
    }
  }

  /** Down as soon as the postmaster was reaped and no process of the server is left, in either order. */
  #settle(): void {
    const ended = this.#ended;
    if (this.#running === undefined || ended === undefined) return;
    const exit = { at: bootMillis(), ...ended, cause: this.#cause ?? 'exited' };
    this.#running = undefined;
    this.#ended = undefined;
    this.#target = undefined;
    this.#state = { kind: 'down', exit };
    this.#journal.log('info', 'server down', { ...exit });
    const waiting = this.#awaitDown;
    this.#awaitDown = [];
    for (const resolve of waiting) resolve();
    this.#onChange();
  }
}
