import { describe, expect, it } from 'vitest';
import { WriteLog } from '../../../src/demo/write-log.ts';

function logOf(...times: readonly number[]): WriteLog {
  const log = new WriteLog();
  times.forEach((atMillis, index) => {
    log.add(index + 1, atMillis);
  });
  return log;
}

describe('what a writer remembers', () => {
  it('measures the gap from the last answer before the event to the first one after it', () => {
    expect(logOf(0, 20, 40, 3_340, 3_360).longestGap(50)).toEqual({
      fromMillis: 40,
      toMillis: 3_340,
      lengthMillis: 3_300,
    });
  });

  it('counts an answer that was under way during the event, and takes the longest of several gaps', () => {
    expect(logOf(0, 20, 41, 60, 900, 910, 1_500).longestGap(40)?.lengthMillis).toBe(840);
  });

  it('leaves out pauses before the event and after the end', () => {
    const log = logOf(0, 5_000, 5_020, 5_240, 9_000);
    expect(log.longestGap(5_030, 6_000)?.lengthMillis).toBe(220);
  });

  it('knows no gap while nothing was written after the event', () => {
    expect(logOf(0, 20, 40).longestGap(50)).toBeUndefined();
    expect(logOf().longestGap(0)).toBeUndefined();
  });

  it('finds the first answer since a moment', () => {
    const log = logOf(10, 20, 30);
    expect(log.firstSince(15)?.id).toBe(2);
    expect(log.firstSince(20)?.id).toBe(2);
    expect(log.firstSince(0)?.id).toBe(1);
    expect(log.firstSince(31)).toBeUndefined();
  });

  it('names the acknowledged rows that the table lacks', () => {
    const log = logOf(10, 20, 30, 40);
    expect(log.missing(new Set([2, 4, 5])).map(({ id }) => id)).toEqual([1, 3]);
  });
});
