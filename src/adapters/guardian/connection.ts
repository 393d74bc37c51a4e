import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Result } from '../../core/result.ts';
import { err, fail, ok } from '../../core/result.ts';
import type { Millis } from '../../core/time.ts';
import type { Reply, Request, WireState } from '../../guardian/protocol.ts';
import {
  LineReader,
  parseObject,
  parseReply,
  parseState,
  writeLine,
} from '../../guardian/protocol.ts';
import type { Clock } from '../../ports/clock.ts';

export type GoodReply = Extract<Reply, { ok: true }>;

export interface ConnectionEvents {
  readonly onState: (state: WireState) => void;
  readonly onSuperseded: () => void;
  /** Once, however it ended; not when this side closed it. */
  readonly onClosed: () => void;
}

export const UNREACHABLE = 'guardian-unreachable';
/** Connected, and silent: frozen, or starved. */
export const UNANSWERED = 'guardian-unresponsive';

/** One connection to a guardian: requests with a bound each, and what it pushes. */
export class Connection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (result: Result<GoodReply>) => void>();
  #nextId = 1;
  #closed = false;

  private constructor(socket: Socket, clock: Clock, events: ConnectionEvents) {
    this.#socket = socket;
    this.#clock = clock;
    const reader = new LineReader();
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = reader.push(text);
      if (lines === undefined) socket.destroy();
      for (const line of lines ?? []) this.#receive(line, events);
    });
    // Followed by 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const here = this.#closed;
      this.#closed = true;
      for (const resolve of this.#waiting.values()) {
        resolve(fail(UNREACHABLE, 'the connection to the guardian has ended'));
      }
      this.#waiting.clear();
      if (!here) events.onClosed();
    });
  }

  /** Fails with `guardian-unreachable` at once when nobody listens, or at the bound. */
  static open(
    path: string,
    clock: Clock,
    timeoutMillis: Millis,
    events: ConnectionEvents,
  ): Promise<Result<Connection>> {
    return new Promise((resolve) => {
      const socket = connect(path);
      const settle = (result: Result<Connection>): void => {
        cancel();
        if (!result.ok) socket.destroy();
        resolve(result);
      };
      const cancel = clock.timer(timeoutMillis, () => {
        settle(fail(UNREACHABLE, 'the guardian does not accept connections'));
      });
      socket.once('error', (error) => {
        settle(fail(UNREACHABLE, `the guardian cannot be reached: ${error.message}`));
      });
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        settle(ok(new Connection(socket, clock, events)));
      });
    });
  }

  /** Fails with the guardian's own failure, `guardian-unresponsive` at the bound, or `guardian-unreachable`. */
  request(request: Request, timeoutMillis: Millis): Promise<Result<GoodReply>> {
    if (this.#closed || !this.#socket.writable) {
      return Promise.resolve(fail(UNREACHABLE, 'the connection to the guardian has ended'));
    }
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      const cancel = this.#clock.timer(timeoutMillis, () => {
        this.#waiting.delete(id);
        resolve(
          fail(
            UNANSWERED,
            `the guardian has not answered "${request.type}" within ${Math.round(timeoutMillis)} ms`,
          ),
        );
      });
      this.#waiting.set(id, (result) => {
        cancel();
        resolve(result);
      });
      this.#socket.write(writeLine({ id, ...request }));
    });
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #receive(line: string, events: ConnectionEvents): void {
    const value = parseObject(line);
    if (value === undefined) return;
    if (value['type'] === 'state') {
      const state = parseState(value['state']);
      if (state !== undefined) events.onState(state);
      return;
    }
    if (value['type'] === 'superseded') {
      events.onSuperseded();
      return;
    }
    const reply = parseReply(value);
    if (reply === undefined) return;
    const resolve = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    resolve?.(reply.ok ? ok(reply) : err(reply.error));
  }
}
