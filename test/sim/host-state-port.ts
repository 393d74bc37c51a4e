import { done, fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { HostMemory } from '../../src/core/view.ts';
import type { HostState } from '../../src/ports/host-state.ts';
import type { Machine } from './model.ts';
import type { SimProcess } from './process.ts';

/** What a host keeps on its disk for the agent: written one after the other, whole or not at all. */
export function hostStatePort(host: Machine, process: SimProcess): HostState {
  let writing: Promise<unknown> = Promise.resolve();
  const write = (facts: HostMemory): Promise<Result<void>> =>
    process.answer<Result<void>>(0.5 + host.world.chance() * 5, () => {
      if (host.trouble.diskFull) return fail('disk-full', 'no space left on device');
      host.facts = facts;
      return done;
    });
  return {
    load: () => process.answer(1, () => ok(host.facts)),
    save: (facts) => {
      const mine = writing.then(() => write(facts));
      writing = mine;
      return mine;
    },
  };
}
