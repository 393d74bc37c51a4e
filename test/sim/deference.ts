import { ABSENT, indexOf, valueOf } from '../../src/core/cluster.ts';
import type { ClusterRecord } from '../../src/core/cluster.ts';
import type { Host } from './host.ts';
import type { Made, Scene } from './model.ts';
import { FAIR } from './network.ts';
import { isPartOf } from './wal.ts';

/** Nothing was broken or repaired for so long: whoever can be reached has been. */
const CALM_MILLIS = 3000;
/** An agent that runs for so long is known to the others. */
const KNOWN_AFTER_MILLIS = 5000;
/** Somebody who is further gets this long to take the lead. */
const DEFERENCE_MILLIS = 2000;
/** The world, as far as it is judged by. */
interface Bench extends Scene {
  readonly hosts: readonly Host[];
  readonly disturbedAt: number;
  readonly storeForgot: boolean;
  record(): ClusterRecord;
  /** Its tags keep it from leading. */
  isBarred(host: Host): boolean;
}

/**
 * I6, judged by the world: a member that takes the lead while another answers, has more of the log and
 * can take over, or that lacks more than `maximum_lag_on_failover`.
 */
export function judgeTakeover(world: Bench, host: Host, made: Made): void {
  const takeover = made.decision.actions.find((action) => action.kind === 'takeover');
  if (takeover === undefined || takeover.basis === 'bootstrap') return;
  if (world.isBarred(host) && made.view.command?.kind !== 'failover')
    world.violation('I6', `${host.address} takes over, and its tags keep it from leading`);
  if (isExcused(world, host, made)) return;
  judgeLag(world, host, made);
  if (!isCalm(world, host)) return;
  for (const other of world.hosts) {
    const fault = other === host ? undefined : faultTowards(world, host, other, made);
    if (fault !== undefined) world.violation('I6', fault);
  }
}

/** An operator's word, a named successor, and votes come before positions; a store without a past misleads. */
function isExcused(world: Bench, host: Host, { view }: Made): boolean {
  const { lease, sync } = world.record();
  // Consul refuses it when this is not the present record any more.
  const isPast = indexOf(view.cluster?.value.lease ?? ABSENT) !== indexOf(lease);
  return (
    isPast ||
    world.storeForgot ||
    view.command?.kind === 'failover' ||
    valueOf(lease)?.released?.handoff === host.name ||
    valueOf(sync)?.leader !== undefined
  );
}

/** What the leader wrote after its last heartbeat nobody can know. */
function judgeLag(world: Bench, host: Host, { view }: Made): void {
  const { optime } = valueOf(world.record().status) ?? {};
  const lag = optime === undefined ? 0n : optime - ownEnd(host);
  if (lag <= BigInt(view.settings.policy.maximumLagOnFailoverBytes)) return;
  world.violation(
    'I6',
    `${host.address} takes over ${lag} bytes behind the position that the leader published`,
  );
}

function isCalm(world: Bench, host: Host): boolean {
  return (
    world.now - world.disturbedAt >= CALM_MILLIS &&
    world.network.weather === FAIR &&
    host.trouble.timerLateMillis === 0
  );
}

function faultTowards(world: Bench, host: Host, other: Host, made: Made): string | undefined {
  if (!isPlainlyAhead(world, host, other)) return undefined;
  const { canvass, now } = made.view;
  const heard = canvass?.opinions.find(({ name }) => name === other.name)?.report;
  const who = `${host.address} at ${host.postgres.position()?.end} takes over, ${other.address} at ${other.postgres.position()?.end}`;
  if (heard === undefined) return `${who} is ahead, could be reached and was not heard`;
  const deferral = made.memory.deferral;
  const deferredMillis = deferral === undefined ? 0 : now - deferral.since;
  const wasAhead = heard.canTakeOver.able && heard.lsn !== undefined && heard.lsn > ownEnd(host);
  return wasAhead && deferredMillis < DEFERENCE_MILLIS
    ? `${who} is ahead, said so, and got ${deferredMillis} ms to go first`
    : undefined;
}

const ownEnd = (host: Host): bigint => host.postgres.position()?.end ?? 0n;

/** It runs, is well, can be reached, and has all of this one's log and more. */
function isPlainlyAhead(world: Bench, host: Host, other: Host): boolean {
  const { agent, postgres } = other;
  const [own, theirs] = [host.postgres.position(), postgres.position()];
  if (agent === undefined || own === undefined || theirs === undefined) return false;
  return (
    other.name !== host.name &&
    !excludedBy(world).includes(other.name) &&
    other.running &&
    !agent.process.frozen &&
    world.now - agent.startedAt >= KNOWN_AFTER_MILLIS &&
    other.trouble.timerLateMillis === 0 &&
    world.network.connects(host.address, other.address) &&
    postgres.state === 'recovery' &&
    postgres.serving &&
    theirs.end > own.end &&
    isPartOf(own, theirs) &&
    agent.agent.peerReport().canTakeOver.able
  );
}

/** Who failed to promote has said itself that the others go first. */
const excludedBy = (world: Bench): readonly string[] =>
  valueOf(world.record().lease)?.released?.exclude ?? [];
