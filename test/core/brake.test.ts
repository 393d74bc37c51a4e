import { describe, expect, test } from 'vitest';
import { acknowledgesForMillis, brakeDueAt, brakeWish } from '../../src/core/brake.ts';
import type { BrakeFacts } from '../../src/core/brake.ts';
import { extendByPromises } from '../../src/core/failsafe.ts';
import { adoptLease, confirmBeat, sendBeat, winLease } from '../../src/core/lease.ts';
import type { HeldLease } from '../../src/core/lease.ts';
import { instant } from '../../src/core/time.ts';

const at = (seconds: number) => instant(seconds * 1000);
const HEARTBEAT_MILLIS = 500;
/** After a heartbeat, 0.3 s more, and a round of 0.28 s. */
const DUE = 1.08;
const won = winLease('g5', 5, at(100), 3000, { generation: 15, lease: 20 });

const wish = (now: number, held: HeldLease | undefined, given: Partial<BrakeFacts> = {}) =>
  brakeWish({
    now: at(now),
    held,
    heartbeatMillis: HEARTBEAT_MILLIS,
    mayBeWritable: true,
    losesNothing: false,
    ...given,
  });

describe('commits are held', () => {
  test('from the moment on at which a heartbeat is overdue and nobody was reached', () => {
    expect(wish(100 + DUE - 0.001, won)).toBe('release');
    expect(wish(100 + DUE, won)).toBe('hold');
    expect(brakeDueAt(won, HEARTBEAT_MILLIS)).toBe(at(100 + DUE));
  });

  test('not for one heartbeat that is slow, and answered before it is overdue', () => {
    const sent = sendBeat(won, at(100.5), { ttlMillis: 3000 }, 'one').held;
    expect(wish(100.79, sent)).toBe('release');
    expect(wish(100.79 + 0.5, confirmBeat(sent, sent.beat, at(100.79)))).toBe('release');
  });

  test('later where heartbeats are rarer', () => {
    expect(wish(102.5, won, { heartbeatMillis: 2000 })).toBe('release');
    expect(wish(102.58, won, { heartbeatMillis: 2000 })).toBe('hold');
  });

  test('by an acknowledgement that comes too late: it counts from when it was asked for', () => {
    const sent = sendBeat(won, at(100.5), { ttlMillis: 3000 }, 'one').held;
    expect(wish(101.7, confirmBeat(sent, sent.beat, at(101.7)))).toBe('hold');
  });

  test('while Consul has lost the past: its acknowledgements do not count', () => {
    const sent = sendBeat({ ...won, amnesia: true }, at(101), { ttlMillis: 3000 }, 'one').held;
    expect(wish(101.2, confirmBeat(sent, sent.beat, at(101.1)))).toBe('hold');
  });
});

describe('commits are let go', () => {
  test('at once when a heartbeat is acknowledged', () => {
    const sent = sendBeat(won, at(102), { ttlMillis: 3000 }, 'one').held;
    expect(wish(102.05, sent)).toBe('hold');
    expect(wish(102.05, confirmBeat(sent, sent.beat, at(102.05)))).toBe('release');
  });

  test('at once when all members promise, and not for promises that are old', () => {
    const asked = (seconds: number) => at(seconds + 3);
    expect(wish(102, extendByPromises(won, asked(101.9), at(102)))).toBe('release');
    expect(wish(102, extendByPromises(won, asked(100.9), at(102)))).toBe('hold');
  });

  test('where nobody can lead next who lacks one of them', () => {
    expect(wish(102, won, { losesNothing: true })).toBe('release');
  });

  test('on a standby, which acknowledges nothing', () => {
    expect(wish(102, won, { mayBeWritable: false })).toBe('release');
  });
});

describe('commits are left as they are', () => {
  const adopted = adoptLease('g5', 5, at(103), 3000, at(101));

  test('by an agent that has adopted the lease and not renewed it yet', () => {
    expect(wish(101.5, adopted)).toBe('leave');
  });

  test('but for as long as an agent that renews it would leave them', () => {
    expect(wish(101 + DUE, adopted)).toBe('hold');
  });

  test('until it has renewed the lease itself, by either way', () => {
    const sent = sendBeat(
      { ...adopted, leaseIndex: 20 },
      at(101.2),
      { ttlMillis: 3000 },
      'two',
    ).held;
    expect(wish(101.3, confirmBeat(sent, sent.beat, at(101.3)))).toBe('release');
    expect(wish(101.3, extendByPromises(adopted, at(104.2), at(101.3)))).toBe('release');
  });

  test('once the lease is over or given away: the fence comes, and the next start', () => {
    expect(wish(103, won)).toBe('leave');
    const release = { handoff: undefined, lsn: undefined, exclude: [] };
    expect(wish(102, { ...won, release })).toBe('leave');
    expect(wish(102, undefined)).toBe('leave');
  });
});

test('a primary that nobody hears acknowledges for at most 1.33 s with the default heartbeat', () => {
  expect(acknowledgesForMillis(HEARTBEAT_MILLIS)).toBe(1330);
});
