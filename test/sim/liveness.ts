import type { Timing } from '../../src/core/settings.ts';
import { DEFAULT_TIMING } from '../../src/core/timing.ts';
import { acknowledges, drawCore, newestLog, suffices } from './core.ts';
import type { Faults } from './faults.ts';
import type { Host } from './host.ts';
import { endMaintenance, sayHolderIsDown } from './maintenance.ts';
import type { Away, Draw, Plan } from './plan.ts';
import { judgePlannedChanges } from './planned-change.ts';
import type { World } from './world.ts';

const OPERATOR_EVERY_MILLIS = 5000;
const NEVER_MILLIS = 1e9;
/** Whole means: for so long. */
const STAYS_MILLIS = 3000;

/** How the end of a run went; times from the healing. */
export interface Recovery {
  /** Undefined: well. */
  readonly why: string | undefined;
  readonly servedAfterMillis: number | undefined;
  readonly wholeAfterMillis: number | undefined;
}

/** Faults stop, everything or a random part of it that must be enough heals, and it all has to come back (I8). */
export async function recover(
  world: World,
  faults: Faults,
  draw: Draw,
  { coreOnly, away }: Pick<Plan, 'coreOnly' | 'away'>,
): Promise<Recovery> {
  faults.stop();
  const core = coreOnly ? drawCore(world, draw) : world.hosts;
  for (const host of world.hosts)
    if (!core.includes(host))
      takeAway(world, host, away ?? draw.pick(['off', 'cut off', 'no agent']));
  world.trace('WORLD', `has to do with ${core.map(({ address }) => address).join(', ')}`);
  const healedAt = world.now;
  operator(world, core);
  const bounds = boundsOf(world, core);
  const serves = await world.until(() => isServed(world, core), bounds.servesMillis);
  if (!serves) {
    const within = `within ${Math.round(bounds.servesMillis)} ms`;
    return ended(`L: nobody accepts writes after healing ${within}`, undefined);
  }
  const served = world.now - healedAt;
  const whole = await becomesWhole(world, core, bounds.wholeMillis);
  if (whole === undefined)
    return ended(
      `L: the cluster does not become whole after healing within ${Math.round(bounds.wholeMillis)} ms`,
      served,
    );
  const why = core === world.hosts ? await judgePlannedChanges(world, draw) : undefined;
  return { why, servedAfterMillis: served, wholeAfterMillis: served + whole };
}

const ended = (why: string, servedAfterMillis: number | undefined): Recovery => ({
  why,
  servedAfterMillis,
  wholeAfterMillis: undefined,
});

/** A member that stays away: dead, deaf and dumb, without its agent, or unable to lead. */
function takeAway(world: World, host: Host, how: Away): void {
  world.trace('WORLD', `${host.address} stays ${how}`);
  if (how === 'off') host.crash();
  if (how === 'no agent') host.killAgent();
  if (how === 'cannot promote') {
    host.trouble.promoteDelayMillis = NEVER_MILLIS;
    host.postgres.kill(true);
  }
  if (how !== 'cut off') return;
  world.consulTroubles.cut(host.address);
  for (const other of world.hosts) {
    world.network.cut(host.address, other.address);
    world.network.cut(other.address, host.address);
  }
}

/** A client can write, and is told that it has. */
function isServed(world: World, core: readonly Host[]): boolean {
  const primary = world.primary();
  if (primary === undefined || !core.includes(primary)) return false;
  if (!acknowledges(world, core)) return true;
  const { lastAt, lastWriter } = world.clients;
  return lastAt !== undefined && lastAt >= world.disturbedAt && lastWriter === primary;
}

/** The longest timing that any agent goes by. */
function timingOf(core: readonly Host[]): Timing {
  const timings = core.flatMap(({ agent }) =>
    agent === undefined ? [] : [agent.agent.settings().policy.timing],
  );
  const longest = (key: keyof Timing): number =>
    Math.max(...timings.map((timing) => timing[key]), DEFAULT_TIMING[key] / 2);
  return {
    ...DEFAULT_TIMING,
    ttlMillis: longest('ttlMillis'),
    heartbeatMillis: longest('heartbeatMillis'),
    retryTimeoutMillis: longest('retryTimeoutMillis'),
    loopWaitMillis: longest('loopWaitMillis'),
    primaryStopTimeoutMillis: longest('primaryStopTimeoutMillis'),
  };
}

/** A request held by a Consul without a leader, and what may be in the way of a server that stops or starts. */
const HELD_REQUEST_MILLIS = 7000;
const SLOW_START_MILLIS = 16_000;
const SLOW_STOP_MILLIS = 12_000;
/** wal_sender_timeout: a fast stop, a commit and a slot wait for a standby that has vanished. */
const VANISHED_STANDBY_MILLIS = 60_000;
/** An operator looks in three times until a lease that was paused is given up. */
const MAINTENANCE_MILLIS = 3 * OPERATOR_EVERY_MILLIS;
/** pg_ctl_timeout: a fast stop that does not end. */
const STUCK_STOP_MILLIS = 60_000;
/** Pauses after failures grow to this. */
const LONGEST_PAUSE_MILLIS = 60_000;
const CLONE_MILLIS = 5000;

interface Bounds {
  readonly servesMillis: number;
  readonly wholeMillis: number;
}

/**
 * The lease that may have to run out, twice: once more when the first that takes over cannot promote;
 * a promise and the silence of one that has just started, which each last as long; then a promotion.
 */
function boundsOf(world: World, core: readonly Host[]): Bounds {
  const timing = timingOf(core);
  const waitMillis = timing.ttlMillis * 1.02 + 50;
  const stuck = world.hosts.some(({ postgres }) => postgres.state === 'stopping');
  const vanished =
    core.length < world.hosts.length ||
    world.hosts.some(({ postgres }) =>
      postgres.replication.senders.some((sender) => !sender.isOpen()),
    );
  const servesMillis =
    4 * waitMillis +
    3 * timing.retryTimeoutMillis +
    4 * timing.loopWaitMillis +
    HELD_REQUEST_MILLIS +
    SLOW_START_MILLIS +
    SLOW_STOP_MILLIS +
    MAINTENANCE_MILLIS +
    (stuck ? STUCK_STOP_MILLIS : 0) +
    (vanished ? VANISHED_STANDBY_MILLIS : 0);
  const members = world.hosts.length;
  return {
    servesMillis,
    wholeMillis: servesMillis + 2 * LONGEST_PAUSE_MILLIS + members * CLONE_MILLIS,
  };
}

/** How long it took, from now; undefined: not within the bound. */
async function becomesWhole(
  world: World,
  core: readonly Host[],
  boundMillis: number,
): Promise<number | undefined> {
  const begunAt = world.now;
  const end = world.now + boundMillis;
  while (world.now < end && world.violations.length === 0) {
    if (!(await world.until(() => world.checks.healthy(core), end - world.now))) return undefined;
    const at = world.now - begunAt;
    const branch = world.primary()?.postgres.position()?.branch;
    // A command that was given before the healing may still change the leader.
    await world.run(STAYS_MILLIS);
    const stays = world.primary()?.postgres.position()?.branch === branch;
    if (world.checks.healthy(core) && stays) return at;
  }
  return undefined;
}

/** Somebody reads what the agents wait for, and does what they ask for. */
function operator(world: World, core: readonly Host[]): void {
  endMaintenance(world, core);
  world.queue.after(OPERATOR_EVERY_MILLIS, () => {
    for (const host of world.hosts) {
      const asks = host.agent?.agent.explain().waitsFor.join(' ') ?? '';
      if (asks.includes('pgbaton reinit'))
        host.agent?.submit({ kind: 'reinitialize', force: false, fromLeader: true });
    }
    forceFailover(world);
    operator(world, core);
  });
}

/**
 * Only a person can say that it is all right: where Consul has forgotten who has the synchronous
 * commits, where an earlier order has left the newest log to a member that must not lead, and where a
 * machine is not the one that the last leader knew by its name.
 */
function forceFailover(world: World): void {
  const wishes = world.hosts
    .flatMap(({ agent }) => agent?.agent.explain().waitsFor ?? [])
    .filter((wish) => wish.includes('pgbaton failover') && !wish.includes('is paused'));
  const replaced = wishes.some((wish) => wish.includes('under its name'));
  const newest = newestLog(world);
  const forgot = wishes.length > 0 && (world.storeForgot || replaced);
  const stuck = forgot || !suffices(world, world.hosts);
  if (!stuck || newest === undefined || world.primary() !== undefined) return;
  const best = world.hosts.find(({ postgres }) => postgres.position()?.end === newest.end);
  // Nobody accepts writes, so it is true of a paused lease, too, that its holder does not.
  sayHolderIsDown(world, best, false);
}
