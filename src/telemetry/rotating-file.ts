import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface RotatingFileOptions {
  readonly path: string;
  /** The file is rotated before it would grow beyond this. */
  readonly maxBytes: number;
  /** Older files kept as `<path>.1` (the newest) and so on. */
  readonly keep: number;
  /** Permission bits of new files. */
  readonly mode: number;
  /** Called with the first of a series of failures; the lines are lost. */
  readonly onFailure: (error: unknown) => void;
}

/** Lines waiting for the disk, bounded: a stuck disk must not take the memory. */
const LONGEST_QUEUE_BYTES = 4_194_304;

/** Appends lines in order, without ever waiting or throwing. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #queue: string[] = [];
  #queuedBytes = 0;
  #sizeBytes: number | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** `line` without its end. Lost when the disk has been stuck for long. */
  write(line: string): void {
    const text = `${line}\n`;
    if (this.#queuedBytes + text.length > LONGEST_QUEUE_BYTES) {
      this.#report(new Error('the disk does not keep up'));
      return;
    }
    this.#queue.push(text);
    this.#queuedBytes += text.length;
    this.#writing ??= this.#drain();
  }

  /** Answers when all that was written before is in the file, or lost. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        await this.#append(batch);
        this.#failed = false;
      } catch (error) {
        this.#sizeBytes = undefined;
        this.#report(error);
      }
    }
    this.#writing = undefined;
  }

  /** As many lines as fit into one file. */
  #take(): string {
    let batch = '';
    while (this.#queue.length > 0) {
      const next = this.#queue[0] ?? '';
      if (batch !== '' && batch.length + next.length > this.#options.maxBytes) break;
      batch += next;
      this.#queue.shift();
    }
    this.#queuedBytes -= batch.length;
    return batch;
  }

  async #append(batch: string): Promise<void> {
    const { path, maxBytes, mode } = this.#options;
    const bytes = Buffer.byteLength(batch);
    this.#sizeBytes ??= await this.#existingSize();
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes > maxBytes) {
      await this.#rotate();
      this.#sizeBytes = 0;
    }
    await appendFile(path, batch, { mode });
    this.#sizeBytes += bytes;
  }

  async #existingSize(): Promise<number> {
    await mkdir(dirname(this.#options.path), { recursive: true });
    try {
      return (await stat(this.#options.path)).size;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    for (let index = keep; index >= 1; index -= 1) {
      const from = index === 1 ? path : `${path}.${index - 1}`;
      try {
        await rename(from, `${path}.${index}`);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
  }

  #report(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onFailure(error);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
