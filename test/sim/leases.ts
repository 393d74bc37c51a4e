import type { Generation } from '../../src/core/cluster.ts';
import type { Machine, Scene } from './model.ts';

/**
 * I2: at the moment at which another is given the next generation, no lease of before is valid on its
 * holder's own clock, whether its Postgres happens to take writes or not.
 */
export function judgeHandover(world: Scene, given: Generation): void {
  for (const host of world.hosts) {
    if (host.name === given.holder) continue;
    const leftMillis = validFor(host);
    if (leftMillis > 0)
      world.violation(
        'I2',
        `generation ${given.n} is given to ${given.holder}, and the lease of ${host.address} is valid for another ${leftMillis.toFixed(1)} ms`,
      );
  }
}

/** What is left of a lease: as its agent knows it, or as the guardian keeps it for the next one. */
function validFor(host: Machine): number {
  if (!host.up) return 0;
  if (host.agent !== undefined) {
    const { agent } = host.agent;
    // It has proved its Postgres down and given the lease away, and has not read yet that it is gone.
    return agent.explain().rule === 'R150' ? 0 : (agent.status().leaseLeftMillis ?? 0);
  }
  // The agent after this one adopts a lease only where Postgres is up: it may have been given away.
  if (!host.postgres.up) return 0;
  const armed = host.guardian?.armed;
  return armed === undefined ? 0 : armed.deadline - host.clock.now();
}
