import { readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Result } from '../core/result.ts';
import { done, fail } from '../core/result.ts';
import { readBootId, UNKNOWN_BOOT } from './boottime.ts';
import type { WireLease } from './protocol.ts';
import { isObject, parseObject } from './protocol.ts';
import { RUN_FILES } from './rundir.ts';

/** What a host has to say of leases when neither agent nor guardian is left of those who knew. */
export interface RunFacts {
  /** In force. That nobody is left who guards it says nothing of its Postgres. */
  readonly armed: WireLease | undefined;
  /** The newest that is over here: its Postgres was proved down, and nothing is done under it again. */
  readonly over: string | undefined;
}

/**
 * The run record `<runDir>/lease.json`. Replaced whole; what is over is synced, the rest is not: all of
 * it counts only until the host restarts. Written by the thread pool, so that a disk that hangs cannot
 * keep the guardian from its deadline.
 */
export class RunRecord {
  readonly #path: string;
  readonly #bootId = readBootId();
  /** Undefined: nothing waits. Only the newest content matters. */
  #next: RunFacts | undefined;
  #writing: Promise<Result<void>> | undefined;
  #durableOver: string | undefined;

  constructor(runDir: string) {
    this.#path = join(runDir, RUN_FILES.lease);
    this.#durableOver = readOver(runDir);
  }

  /** Answers when this content, or a newer one, is in place. Without any, the record is removed. */
  async put(facts: RunFacts): Promise<Result<void>> {
    this.#next = facts;
    while (this.#writing !== undefined) await this.#writing;
    if (this.#next === undefined) return done;
    const content = this.#next;
    this.#next = undefined;
    this.#writing = this.#write(content);
    const result = await this.#writing;
    this.#writing = undefined;
    return result;
  }

  async #write(facts: RunFacts): Promise<Result<void>> {
    const isEmpty = facts.armed === undefined && facts.over === undefined;
    try {
      if (isEmpty) await unlink(this.#path);
      else await this.#replace(facts);
      this.#durableOver = facts.over;
      return done;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (isEmpty && code === 'ENOENT') return done;
      return fail('run-record-unwritable', `${this.#path} cannot be written: ${message}`);
    }
  }

  async #replace({ armed, over }: RunFacts): Promise<void> {
    const record = { version: 1, bootId: this.#bootId, guardian: process.pid, ...armed, over };
    const fresh = `${this.#path}.new`;
    const synced = over !== this.#durableOver;
    await withFile(fresh, 'w', async (file) => {
      await file.writeFile(`${JSON.stringify(record)}\n`);
      if (synced) await file.sync();
    });
    await rename(fresh, this.#path);
    if (synced) await withFile(dirname(this.#path), 'r', async (folder) => folder.sync());
  }
}

async function withFile(
  path: string,
  flags: 'r' | 'w',
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/**
 * The lease that is over, as a guardian of this very boot of the host has written it down. Anything
 * else proves nothing: a record of another boot or another host, one that is damaged, or none.
 */
export function readOver(runDir: string): string | undefined {
  try {
    const value = parseObject(readFileSync(join(runDir, RUN_FILES.lease), 'utf8'));
    if (!isObject(value)) return undefined;
    const { bootId, over } = value;
    const known = readBootId();
    if (typeof over !== 'string' || bootId !== known || known === UNKNOWN_BOOT) return undefined;
    return over;
  } catch {
    return undefined;
  }
}
