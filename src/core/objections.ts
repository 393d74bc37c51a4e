import { indexOf, valueOf } from './cluster.ts';
import type { ClusterRecord, Lease } from './cluster.ts';
import type { TakeoverVerdict } from './takeover-verdict.ts';
import type { Canvass, PeerOpinion, View } from './view.ts';

/** What anyone who answered knows that forbids a takeover, whatever this member has read itself. */
export function objectionOf(
  view: View,
  canvass: Canvass,
  cluster: ClusterRecord,
  n: number,
): TakeoverVerdict | undefined {
  const lease = valueOf(cluster.lease);
  for (const { name, report } of canvass.opinions) {
    const objection =
      report === undefined
        ? undefined
        : (holderObjection(name, report, n) ?? beatObjection(view, name, report, lease));
    if (objection !== undefined) return objection;
  }
  const moved = indexOf(cluster.generation) !== (view.observation?.generationIndex ?? 0);
  return moved ? { kind: 'stale', why: 'the record moved meanwhile', beat: undefined } : undefined;
}

type Report = NonNullable<PeerOpinion['report']>;

function holderObjection(name: string, report: Report, n: number): TakeoverVerdict | undefined {
  if (report.holdsLease !== undefined) {
    const why = `${name} says that it holds a valid lease (generation ${report.holdsLease.n})`;
    return { kind: 'no', why };
  }
  const { n: seen, id } = report.highestGeneration;
  if (seen < n) return undefined;
  return {
    kind: 'floor',
    n: seen,
    id,
    why: `${name} has seen generation ${seen}: Consul lost the newest`,
  };
}

/** Counts once: from then on this member knows of that heartbeat too. */
function beatObjection(
  view: View,
  name: string,
  report: Report,
  lease: Lease | undefined,
): TakeoverVerdict | undefined {
  const theirs = report.newestBeat;
  if (theirs === undefined || lease === undefined || theirs.id !== lease.id) return undefined;
  const heard = view.newestBeat?.id === lease.id ? view.newestBeat.beat : 0;
  const known = Math.max(lease.beat, heard);
  if (theirs.beat <= known) return undefined;
  const why = `${name} saw a newer heartbeat (${theirs.beat}) than this member (${known})`;
  return { kind: 'stale', why, beat: theirs };
}
