import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { WatchdogOrder } from '../../src/core/watchdog.ts';
import { bootMillis } from '../../src/guardian/boottime.ts';

/** What was written to the device, and when it was read here: never earlier than it was written. */
export interface WatchdogWrite {
  readonly at: number;
  readonly kind: 'set' | 'ping' | 'stop';
}

/**
 * A watchdog device that resets nothing: a named pipe, as Patroni's driver `testing` has it, which
 * remembers what it was told, and so knows when a real one would have reset the host.
 */
export class FakeWatchdogDevice {
  readonly path: string;
  readonly writes: WatchdogWrite[] = [];
  timeoutMillis = 0;
  #socket: Socket | undefined;

  constructor(directory: string) {
    this.path = join(directory, 'watchdog');
    execFileSync('mkfifo', ['-m', '0666', this.path]);
    this.plugIn();
  }

  plugIn(): void {
    // Written to as well: a pipe without writers would end.
    const fd = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      this.#read(text);
    });
  }

  /** From now on whoever has it open is told that it is gone. */
  unplug(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** There is none any more. */
  remove(): void {
    this.unplug();
    rmSync(this.path);
  }

  #read(text: string): void {
    const at = bootMillis();
    for (const [word, seconds] of text.matchAll(/Ctimeout=(\d+)\n|./gs)) {
      if (seconds !== undefined) this.timeoutMillis = Number(seconds) * 1000;
      const kind = seconds === undefined ? (word === 'V' ? 'stop' : 'ping') : 'set';
      this.writes.push({ at, kind });
    }
  }

  order(timeoutMillis: number): WatchdogOrder {
    return { device: this.path, driver: 'testing', timeoutMillis, attributes: undefined };
  }

  get pings(): readonly number[] {
    return this.writes.filter(({ kind }) => kind === 'ping').map(({ at }) => at);
  }

  /** It counts down: the last thing that it was told is not to stop. */
  get counts(): boolean {
    const last = this.writes.at(-1);
    return last !== undefined && last.kind !== 'stop';
  }

  /** When a real one would reset, or would have reset, the host; undefined: it was stopped in time. */
  get resetsAt(): number | undefined {
    let due: number | undefined;
    for (const { at, kind } of this.writes) {
      if (due !== undefined && at > due) return due;
      due = kind === 'stop' ? undefined : at + this.timeoutMillis;
    }
    return due;
  }
}

/** A directory like `/sys/class/watchdog/watchdog0`. */
export function layOutAttributes(
  directory: string,
  attributes: Readonly<Record<string, string>>,
): string {
  mkdirSync(directory, { recursive: true });
  for (const [name, value] of Object.entries(attributes)) {
    writeFileSync(join(directory, name), `${value}\n`);
  }
  return directory;
}
