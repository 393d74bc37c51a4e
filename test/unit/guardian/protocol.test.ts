import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import type { WatchdogOrder } from '../../../src/core/watchdog.ts';
import type { Request, WireState } from '../../../src/guardian/protocol.ts';
import {
  LINE_LENGTH_MAX,
  LineReader,
  parseObject,
  parseReply,
  parseRequest,
  parseState,
} from '../../../src/guardian/protocol.ts';

const lease = {
  leaseId: 'x',
  n: 3,
  deadline: 1234.5,
  ttlMillis: 3000,
  fenceBudgetMillis: 500,
  failsafe: ['a'],
};
const command = {
  executable: '/usr/bin/postgres',
  args: ['-D', '/data'],
  env: { A: 'b' },
  dataDir: '/data',
  logFile: '/log',
};
const watchdog = {
  device: '/dev/watchdog',
  driver: 'default',
  timeoutMillis: 2000,
  attributes: '/sys/class/watchdog/watchdog0',
} as const satisfies WatchdogOrder;
const requests: readonly Request[] = [
  { type: 'hello', version: 1, client: 'c', createdAt: 1.5, control: true },
  { type: 'hello', version: 2, client: 'c', createdAt: 1.5, control: false },
  { type: 'launch', command },
  { type: 'arm', lease },
  { type: 'arm', lease, watchdog },
  { type: 'arm', lease, watchdog: { ...watchdog, driver: 'testing', attributes: undefined } },
  { type: 'pause', lease: { ...lease, paused: true } },
  { type: 'disarm' },
  { type: 'end', leaseId: 'lease-1' },
  { type: 'stop', mode: 'fast', timeoutMillis: 100 },
  { type: 'stop', mode: 'immediate', timeoutMillis: 100 },
  { type: 'fence', reason: 'r' },
  { type: 'freeze' },
  { type: 'thaw' },
  { type: 'state' },
  { type: 'shutdown' },
];
const states: readonly WireState[] = [
  {
    postmaster: { kind: 'down', exit: null },
    armed: null,
    over: null,
    fencing: null,
    deathSignal: false,
    watchdog: null,
  },
  {
    postmaster: { kind: 'up', pid: 5, startedAt: 1.25, startTicks: 9 },
    armed: lease,
    over: 'lease-0',
    fencing: 'why',
    deathSignal: true,
    watchdog: { kind: 'closed' },
  },
  {
    postmaster: { kind: 'up', pid: 5, startedAt: 1.25, startTicks: 9 },
    armed: { ...lease, paused: true },
    over: null,
    fencing: null,
    deathSignal: true,
    watchdog: { kind: 'open', order: watchdog },
  },
  {
    postmaster: { kind: 'down', exit: { at: 1, code: null, signal: 'SIGKILL', cause: 'deadline' } },
    armed: null,
    over: 'lease-1',
    fencing: null,
    deathSignal: true,
    watchdog: { kind: 'failed', device: '/dev/watchdog', why: 'it is gone' },
  },
];
const read = (message: object): JsonObject => parseObject(JSON.stringify(message)) ?? {};

describe('what agent and guardian say', () => {
  it.each(requests)('reads the request $type as it was written', (request) => {
    expect(parseRequest(read({ id: 1, ...request }))).toEqual({ ok: true, value: request });
  });

  it.each(requests)('reads $type with fields that a newer version has added', (request) => {
    expect(parseRequest(read({ id: 1, ...request, later: { any: 1 } }))).toEqual({
      ok: true,
      value: request,
    });
  });

  it.each(states)('reads the state as it was written', (state) => {
    expect(parseState(read(state))).toEqual(state);
    expect(parseReply(read({ id: 4, ok: true, state, pid: 3 }))).toEqual({
      id: 4,
      ok: true,
      state,
      pid: 3,
    });
  });

  it('reads a refusal with its remedy', () => {
    const error = { code: 'c', message: 'm', remedy: 'r' };
    expect(parseReply(read({ id: 4, ok: false, error }))).toEqual({ id: 4, ok: false, error });
  });

  it('tells a request of a newer version from a malformed one', () => {
    expect(parseRequest({ type: 'defrost' })).toMatchObject({
      error: { code: 'guardian-request-unknown' },
    });
    for (const bad of [
      {},
      { type: 'arm' },
      { type: 'arm', lease: { ...lease, deadline: '12' } },
      { type: 'arm', lease: { ...lease, failsafe: [1] } },
      { type: 'arm', lease, watchdog: { ...watchdog, driver: 'softdog' } },
      { type: 'arm', lease, watchdog: { ...watchdog, timeoutMillis: '2' } },
      { type: 'stop', mode: 'smart', timeoutMillis: 1 },
      { type: 'launch', command: { ...command, env: { A: 1 } } },
      { type: 'hello', version: 1 },
    ]) {
      expect(parseRequest(bad), JSON.stringify(bad)).toMatchObject({
        error: { code: 'guardian-request-malformed' },
      });
    }
  });

  it('never throws, whatever it is sent', () => {
    const types = requests.map((request) => request.type);
    const anything = fc.record(
      {
        type: fc.oneof(fc.constantFrom(...types), fc.string()),
        lease: fc.jsonValue(),
        watchdog: fc.jsonValue(),
        command: fc.jsonValue(),
        mode: fc.jsonValue(),
        postmaster: fc.jsonValue(),
        id: fc.jsonValue(),
        ok: fc.jsonValue(),
        error: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(anything, fc.string(), (value, text) => {
        parseRequest(value as JsonObject);
        parseState(value as JsonObject);
        parseReply(value as JsonObject);
        parseObject(text);
      }),
    );
  });

  it('cuts a stream into lines wherever it was split', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.nat(50)), (values, cuts) => {
        const text = values.map((value) => `${JSON.stringify({ value })}\n`).join('');
        const reader = new LineReader();
        const lines: string[] = [];
        let at = 0;
        for (const cut of [...cuts, text.length]) {
          lines.push(...(reader.push(text.slice(at, at + cut)) ?? []));
          at += cut;
        }
        expect(lines.map((line) => parseObject(line)?.['value'])).toEqual(
          values.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
        );
      }),
    );
  });

  it('gives up a stream without line ends', () => {
    expect(new LineReader().push('x'.repeat(LINE_LENGTH_MAX + 1))).toBeUndefined();
  });
});
