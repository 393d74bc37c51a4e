import type { Command } from '../../src/agent/facade.ts';
import { valueOf } from '../../src/core/cluster.ts';
import type { Host } from './host.ts';
import type { Draw } from './plan.ts';
import type { World } from './world.ts';

/** What people do before, in and after maintenance. */

export const RESTART: Command = {
  kind: 'restart',
  onlyIfPending: false,
  onlyIfRole: undefined,
  onlyIfVersionBelow: undefined,
  timeoutMillis: undefined,
};

export const RESUME: Command = { kind: 'patch-config', patch: { pause: null } };

/** It accepts writes, or it leads and so may be about to. */
const mayWrite = ({ postgres, agent, guardian }: Host): boolean =>
  postgres.writable ||
  (agent?.agent.status().holdsLease ?? (postgres.up && guardian?.armed?.paused === true));

interface PausedLease {
  readonly holder: string | undefined;
  /** The lease in Consul says so. */
  readonly recorded: boolean;
  /** Machines of that name. */
  readonly machines: readonly Host[];
}

function pausedLease(world: World): PausedLease {
  const { lease, generation } = world.record();
  const said = valueOf(lease);
  const holder = valueOf(generation)?.holder;
  return {
    holder,
    recorded: said?.paused === true && said.released === undefined,
    machines: world.hosts.filter(({ name }) => name === holder),
  };
}

/** Of a lease that says paused, only a person can say that nobody writes under it: and it is so. */
export function takeFromTheDead(world: World, draw: Draw): void {
  const { holder, recorded, machines } = pausedLease(world);
  const takers = world.hosts.filter(({ name, agent }) => name !== holder && agent !== undefined);
  if (!recorded || takers.length === 0 || machines.some(mayWrite)) return;
  const taker = draw.pick(takers);
  sayHolderIsDown(world, taker, draw.chance(0.5));
}

/** `any`: the lease is given up, and whoever is best takes it; otherwise this member does. */
export function sayHolderIsDown(world: World, taker: Host | undefined, any: boolean): void {
  if (taker === undefined) return;
  world.checks.holderStatedDown();
  world.durability.forced();
  taker.agent?.submit(
    any ? { kind: 'abandon' } : { kind: 'failover', candidate: taker.name, holderIsDown: true },
  );
}

/**
 * Maintenance ends. Where the lease says paused and its holder does not beat, its machine is switched
 * off, and then that is said.
 */
export function endMaintenance(world: World, core: readonly Host[]): void {
  resume(world, core, core.some(asks('pgbaton resume')));
  const stuck = core.filter(asks('pgbaton resume --force'));
  const { recorded, machines } = pausedLease(world);
  if (stuck.length === 0) return;
  if (machines.some((host) => core.includes(host) && mayWrite(host))) return;
  // What the machine itself knows, nobody has to say.
  if (
    !world.storeForgot &&
    machines.some((host) => core.includes(host) && hasWitnessed(world, host))
  )
    return;
  for (const host of machines) if (!core.includes(host)) host.crash();
  sayHolderIsDown(world, furthest(stuck), recorded && !world.storeForgot);
}

const hasWitnessed = (world: World, { witnessed, agent }: Host): boolean =>
  agent !== undefined && witnessed.has(valueOf(world.record().lease)?.id ?? '');

const asks =
  (text: string) =>
  ({ agent }: Host): boolean =>
    agent?.agent.explain().waitsFor.some((wish) => wish.includes(text)) === true;

const end = ({ postgres }: Host): bigint => postgres.position()?.end ?? 0n;

const furthest = (hosts: readonly Host[]): Host | undefined =>
  hosts.toSorted((a, b) => Number(end(b) - end(a)))[0];

function resume(world: World, core: readonly Host[], isAskedFor: boolean): void {
  const { config } = world.record();
  const isLost = config.kind === 'absent';
  if (valueOf(config)?.['pause'] === true || (isAskedFor && isLost))
    core.find(({ agent }) => agent !== undefined)?.agent?.submit(RESUME);
  // No agent that has read what was configured may be left.
  const best = furthest(core);
  if (isLost && best?.postgres.up === false) best.agent?.submit(RESTART);
}
