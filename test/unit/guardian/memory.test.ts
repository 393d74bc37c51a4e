import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Thrift } from '../../../src/guardian/thrift.ts';
import { expectOk, lease, useGuardianBench } from '../../harness/guardian-bench.ts';

describe('the memory of the guardian', () => {
  const bench = useGuardianBench();

  it('is no reason not to start: without the flags that keep it small where Node refuses one', async () => {
    const guardian = bench().connect({ nodeFlags: ['--no-flag-of-any-node'] });
    await guardian.attach();
    expectOk(await guardian.launch(bench().server.command));
    expectOk(await guardian.arm(lease(60_000)));
  });
});

describe('when the memory is looked through', () => {
  let collected: string[];
  let leisure: boolean;
  let thrift: Thrift;
  beforeEach(() => {
    vi.useFakeTimers();
    collected = [];
    leisure = true;
    thrift = new Thrift(
      () => leisure,
      (kind) => collected.push(kind),
    );
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const answer = (times: number): void => {
    for (let time = 0; time < times; time += 1) thrift.answered();
  };

  it('is with every eighth request, and rarely through everything', () => {
    answer(8 * 127);
    expect(new Set(collected)).toEqual(new Set(['minor']));
    expect(collected).toHaveLength(127);
    answer(8);
    expect(collected.at(-1)).toBe('major');
    answer(8);
    expect(collected.at(-1)).toBe('minor');
  });

  it('is never while a fence is under way', () => {
    leisure = false;
    answer(100);
    expect(collected).toEqual([]);
    leisure = true;
    answer(1);
    expect(collected).toEqual(['minor']);
  });

  it('is before a launch, and a while after it', () => {
    thrift.expectWork();
    expect(collected).toEqual(['minor']);
    vi.advanceTimersByTime(1000);
    expect(collected).toEqual(['minor', 'major']);
  });
});
