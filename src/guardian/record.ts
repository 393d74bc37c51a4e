import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { done, fail } from '../core/result.ts';
import { readBootId } from './boottime.ts';
import type { WireLease } from './protocol.ts';
import { RUN_FILES } from './rundir.ts';

/**
 * The run record `<runDir>/lease.json`: the lease in force on this host, for whoever looks after the
 * guardian has gone. Replaced whole, and never synced: it counts only until the host restarts.
 * Written by the thread pool, so that a disk that hangs cannot keep the guardian from its deadline.
 */
export class RunRecord {
  readonly #path: string;
  readonly #bootId = readBootId();
  /** Undefined: nothing waits. Only the newest content matters. */
  #next: { readonly lease: WireLease | undefined } | undefined;
  #writing: Promise<Result<void>> | undefined;

  constructor(runDir: string) {
    this.#path = join(runDir, RUN_FILES.lease);
  }

  /** Answers when this content, or a newer one, is in place. Undefined removes the record. */
  async put(lease: WireLease | undefined): Promise<Result<void>> {
    this.#next = { lease };
    while (this.#writing !== undefined) await this.#writing;
    if (this.#next === undefined) return done;
    const content = this.#next.lease;
    this.#next = undefined;
    this.#writing = this.#write(content);
    const result = await this.#writing;
    this.#writing = undefined;
    return result;
  }

  async #write(lease: WireLease | undefined): Promise<Result<void>> {
    try {
      if (lease === undefined) {
        await unlink(this.#path);
        return done;
      }
      const record = { version: 1, bootId: this.#bootId, guardian: process.pid, ...lease };
      const fresh = `${this.#path}.new`;
      await writeFile(fresh, `${JSON.stringify(record)}\n`, { mode: 0o600 });
      await rename(fresh, this.#path);
      return done;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (lease === undefined && code === 'ENOENT') return done;
      return fail('run-record-unwritable', `${this.#path} cannot be written: ${message}`);
    }
  }
}
