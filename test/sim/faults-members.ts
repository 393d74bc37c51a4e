import { suffices } from './core.ts';
import type { Strike } from './ground.ts';
import { spareMachines } from './settings-source.ts';
import type { World } from './world.ts';

const MACHINES_MAX = 5;

/** A machine of its own for a member that has had one already. */
function spareAddress(world: World, name: string): string | undefined {
  return spareMachines(name).find((address) => world.isFree(address));
}

function newName(world: World): string | undefined {
  return world.spareNames.find((name) => world.isFree(name));
}

/** An empty machine that comes to an empty store takes it for a new cluster's. */
const mayGrow = (world: World): boolean => !world.storeForgot && world.hosts.length < MACHINES_MAX;

/** Who takes part, and who only seems to. */
export const MEMBER_FAULTS = {
  'add-member': ({ world }) => {
    const name = newName(world);
    if (name !== undefined && mayGrow(world))
      world.addMachine({ name, address: name }).startAgent();
  },
  /** For good, with its disk; an empty machine takes its place, or its name, later or never. */
  'lose-host': ({ world, draw, during }, host, millis) => {
    const others = world.hosts.filter((other) => other !== host);
    if (world.storeForgot || !suffices(world, others)) return;
    world.removeMachine(host);
    const replacement = draw.whole(0, 2);
    if (replacement === 0) return;
    during(millis, () => {
      if (!mayGrow(world)) return;
      const name = replacement === 1 ? host.name : newName(world);
      const address = name === host.name ? spareAddress(world, name) : name;
      if (name === undefined || address === undefined) return;
      world.addMachine({ name, address }).startAgent();
    });
  },
  /** Somebody copied a configuration and forgot to change the name. */
  twin: ({ world, draw, during }, host, millis) => {
    const address = spareAddress(world, host.name);
    if (address === undefined || !mayGrow(world)) return;
    const twin = world.addMachine({ name: host.name, address });
    // Where it cannot ask the other one, it finds out later.
    if (draw.chance(0.6)) {
      during(millis, world.network.cut(address, host.address));
    }
    twin.startAgent();
    during(millis * 2, () => {
      if (world.hosts.includes(twin)) world.resolveTwins(host, twin);
    });
  },
} as const satisfies Readonly<Record<string, Strike>>;
