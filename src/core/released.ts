import { ownEligibility } from './candidates.ts';
import { valueOf } from './cluster.ts';
import type { ClusterRecord, Release } from './cluster.ts';
import type { Observation } from './observation.ts';
import type { Basis } from './takeover-verdict.ts';
import { plus } from './time.ts';
import type { Instant, Millis } from './time.ts';
import type { View } from './view.ts';

/** Others than the named candidate wait this long after they have read a release. */
const RELEASE_GRACE_MILLIS: Millis = 1000;
/** Who lacks the end of the log leaves those who have it, the former leader above all, this long to come back. */
const INCOMPLETE_GRACE_MILLIS: Millis = 10_000;

/** The former holder gave the lease away: to whom, and who goes first. Undefined: it has not. */
export function releasedBasis(
  view: View,
  cluster: ClusterRecord,
  observation: Observation,
  forced: boolean,
): Basis | undefined {
  const lease = valueOf(cluster.lease);
  const released = lease?.released;
  if (released === undefined || lease?.id !== valueOf(cluster.generation)?.id) return undefined;
  return basisOf(view, released, observation.releasedAt ?? observation.seenAt, forced);
}

function basisOf(view: View, released: Release, releasedAt: Instant, forced: boolean): Basis {
  const named = released.handoff === view.self;
  const trusted = named && caughtUp(view, released.lsn);
  if (named && !trusted && isWorthALook(view, releasedAt)) return LOOK;
  const turn = forced ? undefined : precedence(view, released);
  const from = plus(releasedAt, turn?.graceMillis ?? 0);
  if (turn !== undefined && view.now < from) return { kind: 'wait', why: turn.why, until: from };
  const why = named ? 'the lease was released to this member' : 'the lease was released';
  return { kind: 'free', basis: 'released', since: from, trusted, why };
}

const LOOK: Basis = {
  kind: 'look',
  why: 'the lease was released to this member: looks where its own log ends',
};

/** What is known of the own log is of before. A server that does not answer is not asked for ever. */
const isWorthALook = ({ probe, now }: View, releasedAt: Instant): boolean =>
  probe !== undefined && probe.askedAt < releasedAt && now < plus(releasedAt, RELEASE_GRACE_MILLIS);

/** Who goes before this member once a lease was released, and for how long it is left to them. */
function precedence(
  view: View,
  released: Release,
): { readonly graceMillis: Millis; readonly why: string } | undefined {
  const missing = missingBytes(view, released.lsn);
  if (missing !== undefined) {
    const why = `its log lacks the last ${missing} bytes before the release: whoever has them goes first`;
    return { graceMillis: INCOMPLETE_GRACE_MILLIS, why };
  }
  if (released.handoff === undefined || released.handoff === view.self) return undefined;
  return {
    graceMillis: RELEASE_GRACE_MILLIS,
    why: `released to ${released.handoff}, who goes first`,
  };
}

/** How much of the log before a release this member does not have; undefined: nothing, or not known. */
function missingBytes(view: View, released: bigint | undefined): bigint | undefined {
  const fitness = ownEligibility(view, false);
  if (released === undefined || fitness.kind !== 'eligible') return undefined;
  return fitness.lsn < released ? released - fitness.lsn : undefined;
}

/** A release names where the last record begins. Who has not that one either has left the others' history. */
function caughtUp(view: View, lsn: bigint | undefined): boolean {
  const fitness = ownEligibility(view, false);
  return lsn !== undefined && fitness.kind === 'eligible' && fitness.lsn > lsn;
}
