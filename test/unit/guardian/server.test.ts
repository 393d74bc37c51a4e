import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { fail, ok } from '../../../src/core/result.ts';
import { Journal } from '../../../src/guardian/journal.ts';
import { LINE_LENGTH_MAX } from '../../../src/guardian/protocol.ts';
import { GuardianServer } from '../../../src/guardian/server.ts';
import { until } from '../../harness/guardian-program.ts';

const STATE = {
  postmaster: { kind: 'down', exit: null },
  armed: null,
  over: null,
  fencing: null,
  deathSignal: true,
  watchdog: { kind: 'closed' },
} as const;

let root: string;
let server: GuardianServer;
let handled: string[];
const sockets: Socket[] = [];

/** A client that speaks the protocol by hand. */
class Hand {
  readonly received: JsonObject[] = [];
  readonly #socket = connect(join(root, 's'));
  closed = false;

  constructor() {
    sockets.push(this.#socket);
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.closed = true;
    });
    createInterface({ input: this.#socket }).on('line', (line) => {
      this.received.push(JSON.parse(line) as JsonObject);
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  async ask(id: number, request: object): Promise<JsonObject> {
    this.write(`${JSON.stringify({ id, ...request })}\n`);
    await until('an answer', () => this.received.some((message) => message['id'] === id));
    return this.received.find((message) => message['id'] === id) ?? {};
  }

  hello(client: string, createdAt: number, control = true): Promise<JsonObject> {
    return this.ask(0, { type: 'hello', version: 1, client, createdAt, control });
  }
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'pgbaton-server-'));
  handled = [];
  server = new GuardianServer({
    socketPath: join(root, 's'),
    journal: new Journal(root),
    state: () => STATE,
    handle: (request) => {
      handled.push(request.type);
      const answer = request.type === 'disarm' ? fail('no', 'not now') : ok({ pid: 5 });
      return Promise.resolve(answer);
    },
    onClients: () => undefined,
  });
  expect(await server.listen()).toEqual({ ok: true, value: undefined });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

describe('the door of the guardian', () => {
  it('tells a newcomer the state, answers by id, and hands failures on', async () => {
    const hand = new Hand();
    expect(await hand.hello('a', 1)).toEqual({ id: 0, ok: true, state: STATE });
    expect(await hand.ask(7, { type: 'fence', reason: 'r' })).toEqual({ id: 7, ok: true, pid: 5 });
    expect(await hand.ask(8, { type: 'disarm' })).toEqual({
      id: 8,
      ok: false,
      error: { code: 'no', message: 'not now' },
    });
    server.pushState();
    await until('a push', () => hand.received.some((message) => message['type'] === 'state'));
  });

  it('does nothing for whoever has not said who it is, or only watches', async () => {
    const stranger = new Hand();
    expect(await stranger.ask(1, { type: 'fence', reason: 'r' })).toMatchObject({
      error: { code: 'guardian-hello-first' },
    });
    const watcher = new Hand();
    await watcher.hello('w', 99, false);
    expect(await watcher.ask(1, { type: 'shutdown' })).toMatchObject({
      error: { code: 'guardian-read-only' },
    });
    expect(await watcher.ask(2, { type: 'state' })).toMatchObject({ ok: true, state: STATE });
    expect(handled).toEqual([]);
  });

  it('obeys the newest alone, and tells the older one', async () => {
    const [older, newer] = [new Hand(), new Hand()];
    await older.hello('older', 1);
    await newer.hello('newer', 2);
    await until('told', () => older.received.some(({ type }) => type === 'superseded'));
    await until('closed', () => older.closed);
    const again = new Hand();
    expect(await again.hello('older', 1)).toMatchObject({ error: { code: 'guardian-superseded' } });
    expect(await newer.ask(1, { type: 'fence', reason: 'r' })).toMatchObject({ ok: true });
  });

  it('takes the same client back after its connection broke', async () => {
    const [before, after] = [new Hand(), new Hand()];
    await before.hello('same', 1);
    await after.hello('same', 1);
    expect(await after.ask(1, { type: 'fence', reason: 'r' })).toMatchObject({ ok: true });
    expect(before.received.some(({ type }) => type === 'superseded')).toBe(false);
  });

  it('tells a newer agent what it does not know', async () => {
    const hand = new Hand();
    await hand.hello('a', 1);
    expect(await hand.ask(1, { type: 'defrost' })).toMatchObject({
      error: { code: 'guardian-request-unknown' },
    });
  });

  it.each([
    ['no JSON', 'GET / HTTP/1.1\r\n\r\n'],
    ['no id', '{"type":"state"}\n'],
    ['a list', '[1]\n'],
    ['no end', 'x'.repeat(LINE_LENGTH_MAX + 2)],
  ])('drops who sends %s, and goes on for the others', async (_what, text) => {
    const [good, bad] = [new Hand(), new Hand()];
    await good.hello('good', 1);
    bad.write(text);
    await until('dropped', () => bad.closed);
    expect(await good.ask(1, { type: 'state' })).toMatchObject({ ok: true });
  });

  it('says why it cannot be opened', async () => {
    const options = {
      socketPath: join(root, 'none/s'),
      journal: new Journal(root),
      state: () => STATE,
      handle: () => Promise.resolve(ok({})),
      onClients: () => undefined,
    };
    expect(await new GuardianServer(options).listen()).toMatchObject({
      ok: false,
      error: { code: 'guardian-socket' },
    });
  });
});
