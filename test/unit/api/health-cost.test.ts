import { expect, it } from 'vitest';
import { createFakeAgent, PRIMARY } from './fake-agent.ts';
import { createTestServer } from './harness.ts';

const ROUNDS = 400;
const REPEATS = 5;

it('a health check costs little more than a request that is answered with 404', async () => {
  const { app } = createTestServer(createFakeAgent(PRIMARY));
  const fastest = async (url: string): Promise<number> => {
    let best = Number.POSITIVE_INFINITY;
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      const started = performance.now();
      for (let round = 0; round < ROUNDS; round += 1) await app.inject(url);
      best = Math.min(best, performance.now() - started);
    }
    return best;
  };
  await fastest('/nothing');
  const nothing = await fastest('/nothing');
  const primary = await fastest('/primary');
  expect(primary / nothing).toBeLessThan(4);
});
