import { describe, expect, test } from 'vitest';
import { seededRandom } from '../harness/fake-store-clock.ts';
import { QUIET } from '../harness/quiet.ts';
import { EventQueue } from './events.ts';

const never = (): boolean => false;

describe('the queue of events', () => {
  test('runs them by time, then in the order in which they were asked for', async () => {
    const ran: string[] = [];
    const queue = new EventQueue(() => undefined);
    for (const [name, delay] of [
      ['c', 5],
      ['a', 1],
      ['d', 5],
      ['b', 2],
      ['late', 11],
    ] as const)
      queue.after(delay, () => ran.push(`${name} at ${queue.now}`));
    queue.after(3, () => ran.push('cancelled'))();
    await queue.runUntil(10, never);
    expect(ran).toEqual(['a at 1', 'b at 2', 'c at 5', 'd at 5']);
    expect([queue.now, queue.count]).toEqual([10, 4]);
  });

  test('keeps the order whatever is taken back meanwhile', async () => {
    const random = seededRandom(1);
    const ran: number[] = [];
    const wanted: number[] = [];
    const queue = new EventQueue(() => undefined);
    const cancels: (() => void)[] = [];
    for (let each = 0; each < 500; each += 1) {
      const at = Math.floor(random.fraction() * 100);
      const cancel = queue.after(at, () => ran.push(at));
      if (random.fraction() < 0.5) wanted.push(at);
      else cancels.push(cancel);
    }
    for (const cancel of cancels) cancel();
    for (const cancel of cancels) cancel();
    await queue.runUntil(100, never);
    expect(ran).toEqual(wanted.toSorted((a, b) => a - b));
    for (const cancel of cancels) cancel();
    expect(queue.count).toBe(wanted.length);
  });

  test('lets whole chains of promises settle before what is next, and looks at the world after that', async () => {
    const seen: string[] = [];
    const queue = new EventQueue(() => seen.push('looked'));
    queue.after(1, () => {
      void (async () => {
        for (let step = 0; step < 100; step += 1) await Promise.resolve();
        await new Promise<void>((resolve) => {
          resolve();
        });
        seen.push('settled');
      })();
    });
    queue.after(1, () => {
      seen.push('next');
      return QUIET;
    });
    queue.after(1, () => seen.push('last'));
    await queue.runUntil(1, never);
    expect(seen).toEqual(['settled', 'looked', 'next', 'looked', 'last', 'looked']);
  });

  test('ends early when asked to, and goes on from there', async () => {
    const ran: number[] = [];
    const queue = new EventQueue(() => undefined);
    for (const at of [1, 2, 3])
      queue.after(at, () => {
        ran.push(at);
        return at === 2 ? QUIET : undefined;
      });
    await queue.runUntil(9, () => queue.now === 2);
    expect([ran, queue.now]).toEqual([[1, 2], 2]);
    await queue.runUntil(9, never);
    expect([ran, queue.now]).toEqual([[1, 2, 3], 9]);
  });

  test('passes on what an event throws', async () => {
    const queue = new EventQueue(() => undefined);
    queue.after(1, () => {
      throw new Error('broken');
    });
    await expect(queue.runUntil(2, never)).rejects.toThrow('broken');
  });
});
