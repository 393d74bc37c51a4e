import type { HostMemory } from '../core/view.ts';
import type { AgentState } from './state.ts';

/**
 * What this host must not forget. Memory and disk change together, disk first: whoever awaits
 * `update` may rely on it being durable. Changes are made one after another, each on the outcome of
 * the one before.
 */
export async function updateHost(
  state: AgentState,
  change: (host: HostMemory) => HostMemory,
): Promise<boolean> {
  const turn = state.hostWrites.then(async () => write(state, change));
  state.hostWrites = turn;
  return turn;
}

async function write(
  state: AgentState,
  change: (host: HostMemory) => HostMemory,
): Promise<boolean> {
  const next = change(state.host);
  if (next === state.host) return true;
  const saved = await state.ports.hostState.save(next);
  if (!saved.ok) {
    state.ports.logger.log('error', 'the host state could not be saved', {
      code: saved.error.code,
      reason: saved.error.message,
      remedy: saved.error.remedy,
    });
    return false;
  }
  state.host = next;
  return true;
}

export function raiseFloor(n: number, id: string | undefined): (host: HostMemory) => HostMemory {
  return (host) => (n > host.floor.n ? { ...host, floor: { n, id } } : host);
}
