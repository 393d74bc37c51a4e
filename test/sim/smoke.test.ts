import { describe, expect, test } from 'vitest';
import { traceFile } from './trace-file.ts';
import { World } from './world.ts';

const show = (world: World): string =>
  [...world.lastLines(80), ...world.explain(), JSON.stringify(world.violations)].join('\n');

describe('three members', () => {
  test('found a cluster, fail over, rejoin and switch over', async () => {
    const world = new World({ seed: 1, members: 3, onTrace: traceFile() });
    const becomes = async (condition: () => boolean, boundMillis: number): Promise<void> => {
      expect(await world.until(condition, boundMillis), show(world)).toBe(true);
    };
    world.boot();
    await becomes(() => world.checks.healthy(), 40_000);
    const first = world.primary();
    first?.crash();
    await becomes(() => world.primary() !== undefined, 10_000);
    first?.boot();
    await becomes(() => world.checks.healthy(), 40_000);
    const second = world.primary();
    second?.agent?.submit({ kind: 'switchover', leader: second.name, candidate: undefined });
    await becomes(() => world.checks.healthy() && world.primary() !== second, 40_000);
    await world.run(10_000);
    expect(world.checks.healthy(), show(world)).toBe(true);
    expect(world.violations, show(world)).toEqual([]);
  });
});
