import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { until } from '../../src/demo/wait.ts';

/** One message as systemd receives it. */
export interface Notification {
  readonly variables: ReadonlyMap<string, string>;
  /** On this process's monotonic clock. */
  readonly atMillis: number;
}

/** Reads one datagram after the other from descriptor 3, and writes each as a line of JSON. */
const READER = `
  const { readSync, writeSync } = require('node:fs');
  const buffer = Buffer.alloc(65536);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      const length = readSync(3, buffer);
      writeSync(1, JSON.stringify(buffer.toString('utf8', 0, length).trimEnd().split('\\n')) + '\\n');
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }`;

/**
 * Stands for systemd at the other end of NOTIFY_SOCKET: a real datagram socket, which
 * systemd-socket-activate(1) opens, since Node cannot.
 */
export class NotifyReceiver {
  readonly socket: string;
  readonly notifications: Notification[] = [];
  readonly #process: ChildProcess;

  private constructor(socket: string, child: ChildProcess) {
    this.socket = socket;
    this.#process = child;
    if (child.stdout === null) throw new Error('no pipe to the receiver');
    createInterface(child.stdout).on('line', (line) => {
      const lines = JSON.parse(line) as string[];
      // systemd-notify waits by it until what it said has been read.
      if (lines.includes('BARRIER=1')) return;
      const variables = lines.map((text): [string, string] => {
        const at = text.indexOf('=');
        return [text.slice(0, at), text.slice(at + 1)];
      });
      this.notifications.push({ variables: new Map(variables), atMillis: performance.now() });
    });
  }

  /** `socket`: a path that does not exist yet. */
  static async listen(socket: string): Promise<NotifyReceiver> {
    const child = spawn(
      'systemd-socket-activate',
      ['--datagram', `--listen=${socket}`, process.execPath, '-e', READER],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    child.once(
      'exit',
      (code) => (failure ??= new Error(`the receiver ended with ${String(code)}`)),
    );
    await until('the socket of the receiver', () => existsSync(socket), {
      timeoutMillis: 10_000,
      abort: () => failure,
    });
    // Agents run under another account.
    chmodSync(socket, 0o666);
    return new NotifyReceiver(socket, child);
  }

  /** Values of one variable, in their order. */
  values(name: string): string[] {
    return this.notifications.flatMap(({ variables }) => variables.get(name) ?? []);
  }

  count(name: string): number {
    return this.values(name).length;
  }

  close(): void {
    this.#process.kill('SIGKILL');
  }
}
