import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Result } from '../../src/core/result.ts';
import type { Instant, Millis } from '../../src/core/time.ts';
import { since } from '../../src/core/time.ts';
import type { PeerAddress, Peers, PromiseRequest } from '../../src/ports/peers.ts';

/** Other members, real or simulated, and time that passes while one waits. */
export interface PeersUnderTest {
  readonly peers: Peers;
  /** An agent that answers, under its own name. */
  readonly member: PeerAddress;
  /** A machine that runs, with no agent on it. */
  readonly nobody: PeerAddress;
  /** Nothing comes back from there. */
  readonly silent: PeerAddress;
  now(): Instant;
  /** What a call answers, as soon as it does. */
  answer<T>(call: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const PROMPT_MILLIS: Millis = 5000;
const SHORT_MILLIS: Millis = 200;

const REQUEST: PromiseRequest = {
  scope: 'demo',
  name: 'pg9',
  leaseId: 'g7',
  n: 7,
  timeline: 2,
  ttlMillis: 3000,
  reachMillis: 15_000,
  request: 12,
  connUrl: 'postgres://127.0.0.1:5432/postgres',
  apiUrl: 'http://127.0.0.1:8008/patroni',
  slots: {},
};

/** What the agent relies on, whichever members are behind the port. */
export function peersContract(title: string, open: () => Promise<PeersUnderTest>): void {
  describe(title, () => {
    let bench: PeersUnderTest;
    beforeEach(async () => {
      bench = await open();
    });
    afterEach(async () => {
      await bench.close();
    });

    const codeOf = async (call: Promise<Result<unknown>>): Promise<string> => {
      const answer = await bench.answer(call);
      return answer.ok ? 'ok' : answer.error.code;
    };
    /** Of all there is to ask of one member. */
    const codes = async (peer: PeerAddress, timeoutMillis: Millis): Promise<readonly string[]> => [
      await codeOf(bench.peers.report(peer, timeoutMillis)),
      await codeOf(bench.peers.promise(peer, REQUEST, timeoutMillis)),
      await codeOf(bench.peers.withdraw(peer, 'g7', timeoutMillis)),
    ];

    test('a member reports of itself, and of nobody else', async () => {
      const report = await bench.answer(bench.peers.report(bench.member, PROMPT_MILLIS));
      expect(report).toMatchObject({ ok: true, value: { scope: 'demo', name: bench.member.name } });
    });

    test('a member answers the very request for a promise that it was sent', async () => {
      const reply = await bench.answer(bench.peers.promise(bench.member, REQUEST, PROMPT_MILLIS));
      if (!reply.ok) throw new Error(reply.error.message);
      const { value } = reply;
      if (value.kind === 'promised')
        expect(value).toMatchObject({ name: bench.member.name, leaseId: 'g7', request: 12 });
      else expect(value.why).not.toBe('');
    });

    test('a member that is told that a lease is over says so', async () => {
      const told = await bench.answer(bench.peers.withdraw(bench.member, 'g7', PROMPT_MILLIS));
      expect(told).toMatchObject({ ok: true });
    });

    test('what another member says at that address counts for nothing', async () => {
      const mistaken = { ...bench.member, name: 'pg7' };
      expect(await codes(mistaken, PROMPT_MILLIS)).toEqual([
        'wrong-peer',
        'wrong-peer',
        'wrong-peer',
      ]);
    });

    test('an address where nobody listens fails at once', async () => {
      const begun = bench.now();
      const code = 'peer-unreachable';
      expect(await codes(bench.nobody, PROMPT_MILLIS)).toEqual([code, code, code]);
      expect(since(begun, bench.now())).toBeLessThan(PROMPT_MILLIS);
    });

    test('silence ends with the time that the caller gave', async () => {
      const begun = bench.now();
      const code = 'peer-timeout';
      expect(await codes(bench.silent, SHORT_MILLIS)).toEqual([code, code, code]);
      expect(since(begun, bench.now())).toBeGreaterThanOrEqual(3 * SHORT_MILLIS - 10);
    });

    test('one that is silent holds up nobody who asks another', async () => {
      const slow = bench.peers.report(bench.silent, SHORT_MILLIS);
      expect(await codeOf(bench.peers.report(bench.member, PROMPT_MILLIS))).toBe('ok');
      expect(await bench.answer(slow)).toMatchObject({ ok: false });
    });
  });
}
