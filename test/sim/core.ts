import { valueOf } from '../../src/core/cluster.ts';
import type { Host } from './host.ts';
import type { Draw } from './plan.ts';
import { isPartOf } from './wal.ts';
import type { Position } from './wal.ts';
import type { World } from './world.ts';

/** Less than any `maximum_lag_on_failover` that is drawn. */
const NEAR_BYTES = 1000n;

/** The newest log there is, on the history of the last promotion. */
export function newestLog(world: World): Position | undefined {
  let newest: Position | undefined;
  for (const host of world.hosts) {
    const log = host.postgres.position();
    if (log === undefined || log.branch !== world.newestBranch) continue;
    if (newest === undefined || log.end > newest.end) newest = log;
  }
  return newest;
}

/** Has nearly all of the newest log, and may lead. */
function mayLead(world: World, host: Host, newest: Position): boolean {
  const log = host.postgres.position();
  const listed = valueOf(world.record().failsafe);
  return (
    log !== undefined &&
    // A clone or a rewound log without its end cannot even be opened.
    host.postgres.consistent &&
    // Nobody leads who has not followed the last leader onto its timeline.
    log.branch === newest.branch &&
    !world.isBarred(host) &&
    (listed === undefined || host.name in listed) &&
    isPartOf(log, newest) &&
    newest.end - log.end <= NEAR_BYTES &&
    world.durability.isHeldBy(log)
  );
}

/**
 * Whether these machines alone can have a primary again without a person: one of them has the data
 * and may lead, and where replication is synchronous, enough of those answer that may have a commit.
 */
export function suffices(world: World, hosts: readonly Host[]): boolean {
  const newest = newestLog(world);
  if (newest === undefined) return false;
  const able = hosts.filter((host) => mayLead(world, host, newest));
  if (able.length === 0) return false;
  const sync = valueOf(world.record().sync);
  if (sync?.leader === undefined) return true;
  if (able.some(({ name }) => name === sync.leader)) return true;
  const voters = hosts.filter(
    ({ name, disk }) => disk.kind === 'cluster' && sync.standbys.includes(name),
  );
  if (voters.length < sync.quorum + 1) return false;
  const best = voters.map((host) => host.postgres.position()?.end ?? 0n);
  return able.some((host) => best.every((end) => (host.postgres.position()?.end ?? 0n) >= end));
}

/** In strict mode a primary without a standby that may be synchronous acknowledges nothing, by intent. */
export function acknowledges(world: World, core: readonly Host[]): boolean {
  const config = valueOf(world.record().config);
  const strict = config?.['synchronous_mode_strict'] === true;
  const synchronous = config?.['synchronous_mode'] ?? false;
  if (!strict || synchronous === false) return true;
  return core.filter((host) => world.maySynchronise(host)).length > 1;
}

/** A random part of the machines that suffices; all of them where no smaller one was found. */
export function drawCore(world: World, draw: Draw): readonly Host[] {
  if (world.storeForgot) return world.hosts;
  const core = world.hosts.filter(() => draw.chance(0.6));
  return core.length > 0 && suffices(world, core) ? core : world.hosts;
}
