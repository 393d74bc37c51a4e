import { describe, expect, test } from 'vitest';
import { ManualClock, seededRandom } from '../../harness/fake-store-clock.ts';
import { FakeConsulServer } from '../../harness/fake-store-server.ts';

const PREFIX = 'service/s/';

describe('a blocking query to a server that lags behind', () => {
  test('is answered once, when the server has heard of the change', async () => {
    const clock = new ManualClock();
    const server = new FakeConsulServer(clock, seededRandom(1));
    server.put(`${PREFIX}initialize`, '1');
    const { index } = server.list(PREFIX);
    await clock.advance(1000);
    const seen: number[] = [];
    const answer = (): void => {
      seen.push(server.listBefore(PREFIX, 300).index);
    };
    server.block(PREFIX, index, 5000, answer, 300);
    await clock.advance(500);
    server.put(`${PREFIX}initialize`, '2');
    const newer = server.list(PREFIX).index;
    await clock.advance(299);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual([newer]);
    await clock.advance(10_000);
    expect(seen).toEqual([newer]);
  });

  test('that begins after the change waits for it as well', async () => {
    const clock = new ManualClock();
    const server = new FakeConsulServer(clock, seededRandom(1));
    server.put(`${PREFIX}initialize`, '1');
    const { index } = server.list(PREFIX);
    await clock.advance(1000);
    server.put(`${PREFIX}initialize`, '2');
    const newer = server.list(PREFIX).index;
    const seen: number[] = [];
    const cancel = server.block(
      PREFIX,
      index,
      5000,
      () => {
        seen.push(server.listBefore(PREFIX, 300).index);
      },
      300,
    );
    expect(seen).toEqual([]);
    await clock.advance(300);
    expect(seen).toEqual([newer]);
    cancel();
  });
});
