import type { Result } from '../core/result.ts';
import type { HostMemory } from '../core/view.ts';

export const NO_HOST_MEMORY: HostMemory = {
  floor: { n: 0, id: undefined },
  promotions: [],
  followed: undefined,
  systemIdentifier: undefined,
  founding: undefined,
};

export interface HostState {
  load(): Promise<Result<HostMemory>>;
  /** Durable when it answers ok. */
  save(memory: HostMemory): Promise<Result<void>>;
}
