import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlineWatch } from '../../../src/guardian/deadline.ts';

/** Boot time goes on with the timers, and by itself while the host is suspended. */
let suspendedMillis = 0;
let due = 0;
const watch = new DeadlineWatch(
  () => {
    due += 1;
  },
  () => Date.now() + suspendedMillis,
);

beforeEach(() => {
  vi.useFakeTimers();
  due = 0;
  suspendedMillis = 0;
});
afterEach(() => {
  watch.clear();
  vi.useRealTimers();
});

describe('a deadline', () => {
  it('is due when it is reached, once, and not before', () => {
    watch.set(Date.now() + 1000);
    vi.advanceTimersByTime(999);
    expect(due).toBe(0);
    vi.advanceTimersByTime(1);
    expect(due).toBe(1);
    vi.advanceTimersByTime(10_000);
    expect(due).toBe(1);
  });

  it('is due at once when it has passed', () => {
    watch.set(Date.now() - 1);
    expect(due).toBe(1);
  });

  it('that passed while the host was suspended is due at the first look, not when the timer would end', () => {
    watch.set(Date.now() + 30_000);
    vi.advanceTimersByTime(100);
    suspendedMillis = 60_000;
    vi.advanceTimersByTime(50);
    expect(due).toBe(1);
  });

  it('is replaced by a later or an earlier one, and forgotten when cleared', () => {
    watch.set(Date.now() + 100);
    watch.set(Date.now() + 1000);
    vi.advanceTimersByTime(999);
    expect(due).toBe(0);
    watch.set(Date.now() + 500);
    watch.set(Date.now() + 10);
    vi.advanceTimersByTime(10);
    expect(due).toBe(1);
    watch.set(Date.now() + 10);
    watch.clear();
    vi.advanceTimersByTime(1000);
    expect(due).toBe(1);
  });
});
