import { join } from 'node:path';
import { parseUnfinished, writeUnfinished } from '../../wire/postgres/unfinished.ts';
import type { Unfinished } from '../../wire/postgres/unfinished.ts';
import type { Context } from './context.ts';
import {
  makePrivateDirectory,
  readIfExists,
  removeDurably,
  writeDurably,
} from './durable-files.ts';
import { startTicks } from './process-table.ts';

export const MARKER = 'pgbaton.unfinished';

export type Work = Unfinished['work'];

/** Marks a directory as being worked on, before anything in it is touched. */
export class UnfinishedMarker {
  readonly #path: string;
  #content: Unfinished;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, content: Unfinished) {
    this.#path = path;
    this.#content = content;
  }

  /** `directory` is where the marker lies; `dataDir` what it speaks of. */
  static async place(
    context: Context,
    directory: string,
    work: Work,
    dataDir: string,
  ): Promise<UnfinishedMarker> {
    const startedAt = new Date(context.clock.wall()).toISOString();
    const marker = new UnfinishedMarker(join(directory, MARKER), { work, startedAt, dataDir });
    await makePrivateDirectory(directory);
    await writeDurably(marker.#path, writeUnfinished(marker.#content));
    return marker;
  }

  /** Adds the process that does the work, so that a later agent can end it. Does not wait. */
  recordProcess(pid: number): void {
    this.#writing = this.#writing.then(() => this.#record(pid)).catch(() => undefined);
  }

  async #record(pid: number): Promise<void> {
    const ticks = await startTicks(pid);
    if (ticks === undefined) return;
    this.#content = { ...this.#content, process: { pid, startTicks: ticks } };
    await writeDurably(this.#path, writeUnfinished(this.#content));
  }

  /** Answers when nothing more is written by this marker. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async remove(): Promise<void> {
    await this.#writing;
    await removeDurably(this.#path);
  }
}

/** A marker that cannot be read is still one: its work is taken for the most harmful kind. */
export async function readMarker(directory: string): Promise<Unfinished | undefined> {
  const text = await readIfExists(join(directory, MARKER));
  if (text === undefined) return undefined;
  return parseUnfinished(text) ?? { work: 'rewind', startedAt: '', dataDir: directory };
}

/** The marker of a custom method, which works in the data directory itself and must find it empty. */
export async function readMarkerOfMethod(context: Context): Promise<Unfinished | undefined> {
  const marker = await readMarker(context.stateDir);
  return marker?.dataDir === context.settings().dataDir ? marker : undefined;
}

/** Ends the tool that an earlier agent left at work: it would write into what is built next. */
export async function endOrphan(context: Context, marker: Unfinished): Promise<void> {
  const left = marker.process;
  if (left === undefined || (await startTicks(left.pid)) !== left.startTicks) return;
  context.logger.log('warn', 'ending a tool that an earlier agent left at work', {
    pid: left.pid,
    work: marker.work,
  });
  try {
    process.kill(-left.pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
