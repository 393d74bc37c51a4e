import { appendFileSync, statSync } from 'node:fs';
import { appendFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Millis } from '../core/time.ts';
import { bootMillis } from './boottime.ts';
import { RUN_FILES } from './rundir.ts';

export type JournalLevel = 'info' | 'warn' | 'error';

const SIZE_BYTES_MAX = 1024 * 1024;
/** Lines that wait while the disk does not take them; more are dropped, and counted. */
const PENDING_MAX = 500;

/**
 * The guardian's own log, `<runDir>/guardian.log`: one JSON value a line, rotated once at 1 MB.
 * Never waited for and never fatal: a full or hanging disk costs lines, not the fence.
 */
export class Journal {
  readonly #path: string;
  #pending: string[] = [];
  #dropped = 0;
  #sizeBytes: number;
  #flushing: Promise<void> | undefined;

  constructor(runDir: string) {
    this.#path = join(runDir, RUN_FILES.log);
    this.#sizeBytes = sizeOf(this.#path);
  }

  log(level: JournalLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.#pending.length >= PENDING_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#pending.push(this.#line(level, message, fields));
    this.#flushing ??= this.#flush();
  }

  /** For the last words of a process that is about to end by a bug. */
  logNow(level: JournalLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
    try {
      appendFileSync(this.#path, this.#line(level, message, fields), { mode: 0o600 });
    } catch {
      // Nobody is left to tell.
    }
  }

  /** Waits until what was logged is written, for no longer than the bound. */
  async settle(boundMillis: Millis): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, boundMillis);
    });
    await Promise.race([this.#flushing ?? Promise.resolve(), bound]);
    clearTimeout(timer);
  }

  #line(level: JournalLevel, message: string, fields: Readonly<Record<string, unknown>>): string {
    const head = { time: new Date().toISOString(), boot: Math.round(bootMillis()), level };
    return `${JSON.stringify({ ...head, pid: process.pid, message, ...fields })}\n`;
  }

  async #flush(): Promise<void> {
    // Let what is logged in one turn become one write.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      if (this.#dropped > 0) {
        const dropped = this.#dropped;
        this.#dropped = 0;
        this.#pending.push(this.#line('warn', 'log lines were dropped', { dropped }));
      }
      const text = this.#pending.join('');
      this.#pending = [];
      try {
        if (this.#sizeBytes > SIZE_BYTES_MAX) {
          await rename(this.#path, `${this.#path}.1`);
          this.#sizeBytes = 0;
        }
        await appendFile(this.#path, text, { mode: 0o600 });
        this.#sizeBytes += Buffer.byteLength(text);
      } catch {
        this.#dropped += 1;
      }
    }
    this.#flushing = undefined;
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
