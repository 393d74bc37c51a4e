import { diskFacts } from '../core/disk.ts';
import type { DiskFacts } from '../core/postgres.ts';
import type { AgentState } from './state.ts';

/** Looks at the disk of the data directory, and notes what is known of it now; undefined: nothing. */
export async function readDisk(state: AgentState): Promise<DiskFacts | undefined> {
  const freeBytes = await state.ports.postgres.freeBytes();
  state.disk = freeBytes === undefined ? undefined : diskFacts(state.disk, freeBytes, state.now());
  return state.disk;
}
