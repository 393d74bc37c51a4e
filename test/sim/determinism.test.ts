import { describe, expect, test } from 'vitest';
import { simulate } from './simulate.ts';

describe('a simulated run', () => {
  test('is the same, line by line, for the same seed', async () => {
    const first = await simulate(4711);
    const second = await simulate(4711);
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
  });

  test('is another one for another seed', async () => {
    const first = await simulate(4711);
    const second = await simulate(4712);
    expect(second.hash).not.toBe(first.hash);
  });
});
