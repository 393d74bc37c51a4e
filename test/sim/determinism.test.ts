import { describe, expect, test } from 'vitest';
import { simulate } from './simulate.ts';

describe('a simulated run', () => {
  test('is the same, line by line, for the same seed', async () => {
    const first = await simulate(4711);
    const second = await simulate(4711);
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
  });

  // Codecs that lose or change anything that was written would show in what the agents do.
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'is the same, whether the answers of Consul are read from bytes or not (seed %i)',
    async (seed) => {
      const read = await simulate(seed, { readsBytes: true });
      const told = await simulate(seed, { readsBytes: false });
      expect(told.hash).toBe(read.hash);
    },
  );

  test('is another one for another seed', async () => {
    const first = await simulate(4711);
    const second = await simulate(4712);
    expect(second.hash).not.toBe(first.hash);
  });
});
