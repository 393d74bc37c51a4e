import { holderOf, saysPaused, valueOf } from './cluster.ts';
import type { ClusterRecord, Lease } from './cluster.ts';
import { record, role } from './facts.ts';
import type { PausedLease, View } from './view.ts';

/**
 * Maintenance mode (P15). Two things are told apart: that operators want nothing done (`pause` in the
 * dynamic configuration), and that the lease itself says so, which alone keeps others from taking over
 * for ever and lets its holder write on without Consul.
 */

/**
 * Nothing is to be done unasked. Where the configuration has not been read, or was lost with the
 * store, what was last known holds, unless a lease says otherwise.
 */
export function isPaused(view: View): boolean {
  const cluster = record(view);
  const { pause } = view.settings.policy;
  if (cluster?.config.kind === 'present') return pause;
  if (view.held?.paused === true || remembersPause(view)) return true;
  const lease = cluster === undefined ? undefined : valueOf(cluster.lease);
  return pause && (lease === undefined || lease.released !== undefined || lease.paused === true);
}

/**
 * What the holder's next beat says. A store that has lost the past shows a configuration of the past:
 * a server that runs is kept paused until the members have vouched for what was written back. One that
 * is down has nothing that such a lease would protect, and could not be started under it.
 */
export function wantsPausedLease(view: View): boolean {
  const { held, settings } = view;
  if (held?.paused !== true || !held.amnesia) return isPaused(view);
  const runs = role(view) === 'primary' || role(view) === 'unanswered';
  return runs && (settings.policy.failsafe || isPaused(view));
}

/** What is published: of a holder, what is in force; of any other member, what is asked for. */
export const showsPaused = (view: View): boolean => view.held?.paused ?? isPaused(view);

/** The paused lease that keeps everybody from taking over, by name of its holder. */
export function pausedHolder(view: View): string | undefined {
  const cluster = record(view);
  if (cluster === undefined) return undefined;
  const lease = valueOf(cluster.lease);
  const isOthers = saysPaused(lease) && lease.id !== view.lapsedId;
  return isOthers || remembersPause(view) ? holderOf(cluster) : undefined;
}

/** Of a lease of another: what has become of its own, this host knows. */
const remembersPause = ({ host, lapsedId }: View): boolean =>
  host.paused !== undefined && host.paused.id !== lapsedId;

/** What this host has to remember of pauses once it has read this record; undefined: of none. */
export function rememberPause(
  known: PausedLease | undefined,
  cluster: ClusterRecord,
): PausedLease | undefined {
  const lease = valueOf(cluster.lease);
  if (lease === undefined || isOlder(known, lease)) return known;
  if (!saysPaused(lease)) return undefined;
  // The first that said so is enough: not every beat is worth a write.
  return known?.id === lease.id ? known : { n: lease.n, id: lease.id, beat: lease.beat };
}

/** Of the time before the pause that is known: it says nothing of what came after. */
function isOlder(known: PausedLease | undefined, lease: Lease): boolean {
  if (known === undefined) return false;
  if (lease.n !== known.n) return lease.n < known.n;
  if (lease.id !== known.id) return true;
  // Nothing is ever written under a lease that was released: that came last.
  return lease.released === undefined && lease.beat <= known.beat;
}

/** The way out of a lease that is paused and has lost its holder, as operators are told it. */
export const waysOut = (holder: string): string =>
  `${holder} to beat again; if its Postgres is certainly down, "pgbaton failover --candidate MEMBER --force" or "pgbaton resume --force"`;

/** Why no time makes the lease free; undefined: nothing of a pause is in the way. `forced`: by an operator. */
export function pauseObstacle(view: View, forced: boolean): string | undefined {
  const holder = pausedHolder(view);
  if (holder !== undefined && !(forced && saysHolderIsDown(view)))
    return `the lease of ${holder} is paused, so no time ends it; waits for ${waysOut(holder)}`;
  return isPaused(view) && !forced
    ? 'cluster management is paused: nobody takes over by itself'
    : undefined;
}

/** An operator who fails over has answered for it. */
export const saysHolderIsDown = ({ command }: View): boolean =>
  command?.kind === 'failover' && command.holderIsDown === true;

/** Patroni's words for a hand-over to whoever is best, while nothing is to be done unasked. */
export const needsCandidate = (kind: 'switchover' | 'failover'): string =>
  `${kind === 'switchover' ? 'Switchover' : 'Failover'} is possible only to a specific candidate in a paused state`;
