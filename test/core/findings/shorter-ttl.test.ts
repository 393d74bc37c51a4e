import { expect, test } from 'vitest';
import { confirmBeat, sendBeat, waitMillis, winLease } from '../../../src/core/lease.ts';
import type { HeldLease } from '../../../src/core/lease.ts';
import { instant } from '../../../src/core/time.ts';

const LONG_MILLIS = 10_000;
const SHORT_MILLIS = 3000;

const send = (held: HeldLease, at: number, ttlMillis: number): HeldLease =>
  sendBeat(held, instant(at), { ttlMillis }, 'one').held;

// 1. ttl is 10 s. Beat 1 is sent at 0; its answer does not come.
// 2. The ttl becomes 3 s. Beat 2 is sent at 600: from then on the lease ends at 3600.
// 3. A read shows at 700 that beat 1 was committed after all: with its 10 s.
// 4. Beat 3 is sent at 1200 with 3 s; it commits, and its answer gets lost.
// 5. Followers have read beat 3 at the earliest at 1200, and wait for 3 s.
test('a shorter ttl binds its holder from every beat that carries it, whatever was confirmed between', () => {
  const won = winLease('L1', 1, instant(-500), LONG_MILLIS, { generation: 1, lease: 1 });
  const first = send(won, 0, LONG_MILLIS);
  const second = send(first, 600, SHORT_MILLIS);
  expect(second.end).toBe(3600);
  const confirmed = confirmBeat(second, 1, instant(700));
  const third = send(confirmed, 1200, SHORT_MILLIS);
  expect(third.end).toBeLessThan(1200 + waitMillis(SHORT_MILLIS));
  expect(third.end).toBe(1200 + SHORT_MILLIS);
});
