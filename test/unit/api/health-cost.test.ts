import { expect, it } from 'vitest';
import { createFakeAgent, PRIMARY } from './fake-agent.ts';
import { createTestServer } from './harness.ts';

const ROUNDS = 100;
const REPEATS = 20;

it('a health check costs little more than a request that is answered with 404', async () => {
  const { app } = createTestServer(createFakeAgent(PRIMARY));
  const take = async (url: string): Promise<number> => {
    const started = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) await app.inject(url);
    return performance.now() - started;
  };
  await take('/nothing');
  // In turns, so that a machine that is busy for a while is so for both.
  let [nothing, primary] = [Infinity, Infinity];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    nothing = Math.min(nothing, await take('/nothing'));
    primary = Math.min(primary, await take('/primary'));
  }
  expect(primary / nothing).toBeLessThan(4);
});
