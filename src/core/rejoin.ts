import { formatLsn, LSN_ZERO } from './lsn.ts';
import { strayPromotion, strayReceived, twinNumber } from './branch.ts';
import type { Generation } from './cluster.ts';
import { leftAt, relate } from './timeline.ts';
import type { History } from './timeline.ts';
import type { Diagnosis, HostMemory } from './view.ts';
import type { ControlData } from './postgres.ts';
import type { Policy } from './settings.ts';

/** How a stopped member gets back behind the leader: decided from evidence only (I7). */
export type RejoinPlan =
  | { readonly kind: 'start'; readonly why: string }
  | { readonly kind: 'rewind'; readonly why: string }
  | { readonly kind: 'reclone'; readonly why: string }
  /** The evidence is missing, for now. */
  | { readonly kind: 'wait'; readonly why: string }
  /** A person has to decide. */
  | { readonly kind: 'refuse'; readonly why: string; readonly remedy: string };

export interface RejoinEvidence {
  readonly control: ControlData;
  readonly diagnosis: Diagnosis;
  readonly generation: Generation;
  readonly host: HostMemory;
  readonly policy: Policy;
  /** A rewind from this very diagnosis' source has failed. */
  readonly rewindFailed: string | undefined;
}

export function planRejoin(evidence: RejoinEvidence): RejoinPlan {
  const { control, diagnosis, host, generation } = evidence;
  const source = diagnosis.source;
  if (source === undefined) {
    return {
      kind: 'wait',
      why: `${diagnosis.sourceName} could not be asked for its history: ${diagnosis.why ?? 'no answer'}`,
    };
  }
  if (source.systemIdentifier !== control.systemIdentifier) {
    return {
      kind: 'refuse',
      why: `the data directory belongs to system ${control.systemIdentifier}, the leader's to ${source.systemIdentifier}`,
      remedy:
        'point data_dir elsewhere, or move the directory away; pgbaton does not replace the data of another cluster',
    };
  }
  if (source.timeline !== generation.timeline) {
    return {
      kind: 'wait',
      why: `${diagnosis.sourceName} is on timeline ${source.timeline}, its record still says ${generation.timeline}`,
    };
  }
  const written = Math.max(control.timeline, control.minimumRecoveryTimeline);
  const timeline = diagnosis.own.timeline > 0 ? diagnosis.own.timeline : written;
  const twin = twinPromotion(host, generation, timeline, source);
  if (twin !== undefined) return onDivergence(evidence, twin, false);
  const end = diagnosis.own.endLsn;
  if (end === undefined) return withoutEnd(evidence, timeline, source);
  const relation = relate(diagnosis.own.timeline, end, source);
  const older =
    relation.kind === 'ancestor' ? undefined : olderTwin(host, generation, timeline, source);
  if (older !== undefined) return onDivergence(evidence, older, false);
  switch (relation.kind) {
    case 'unrelated':
      return onDivergence(
        evidence,
        `its timeline ${diagnosis.own.timeline} is not in the leader's history`,
        true,
      );
    case 'diverged':
      return onDivergence(
        evidence,
        `its log on timeline ${diagnosis.own.timeline} ends at ${formatLsn(end)}, past ${formatLsn(relation.at)} where the leader left it`,
        true,
      );
    case 'ancestor':
      break;
  }
  const ahead = pagesAhead(control, source, diagnosis.sourceName);
  if (ahead !== undefined) return onDivergence(evidence, ahead, true);
  if (diagnosis.walAvailable === 'no') {
    return {
      kind: 'reclone',
      why: `${diagnosis.sourceName} no longer has the log from ${formatLsn(end)} on`,
    };
  }
  return { kind: 'start', why: `its log up to ${formatLsn(end)} is part of the leader's history` };
}

/**
 * After a rewind or a clone the pages are of any moment up to `minimum recovery`: a server that never
 * gets the log up to there, because its source is gone and others went on without it, never answers.
 */
export function pagesAhead(
  { minimumRecoveryLsn, minimumRecoveryTimeline }: ControlData,
  source: History,
  sourceName: string,
): string | undefined {
  if (minimumRecoveryLsn === LSN_ZERO || minimumRecoveryTimeline === 0) return undefined;
  const relation = relate(minimumRecoveryTimeline, minimumRecoveryLsn, source);
  return relation.kind === 'ancestor'
    ? undefined
    : `its data are consistent only from ${formatLsn(minimumRecoveryLsn)} of timeline ${minimumRecoveryTimeline} on, which is not part of the history of ${sourceName}`;
}

/** On the leader's own timeline the end does not matter: it is wherever the leader's log goes on. */
function withoutEnd(evidence: RejoinEvidence, timeline: number, source: History): RejoinPlan {
  const left = leftAt(source, timeline);
  if (left === 'current') {
    return { kind: 'start', why: `it is on timeline ${timeline}, as the leader is` };
  }
  const { state, timeline: stoppedOn, checkpointLsn } = evidence.control;
  // A timeline is left between two records, and nothing follows the one of a clean shutdown.
  if (state === 'shut down' && stoppedOn === timeline && left !== undefined && left > checkpointLsn)
    return { kind: 'start', why: `it was shut down before the leader left timeline ${timeline}` };
  return onDivergence(evidence, 'the end of its own log cannot be read', true);
}

/** The same number, another promotion: pg_rewind would see nothing to do. */
function twinPromotion(
  host: HostMemory,
  generation: Generation,
  timeline: number,
  source: History,
): string | undefined {
  const stray = strayPromotion(host, generation, timeline);
  const received = strayReceived(host, generation, timeline);
  const other = stray ?? received;
  if (other === undefined || leftAt(source, timeline) === undefined) return undefined;
  const how = stray === undefined ? 'received' : 'promoted';
  return `timeline ${timeline} was ${how} here under generation ${other}, and in the cluster under another`;
}

/**
 * pg_rewind compares numbers and positions: a number that both histories have by different promotions
 * it takes for common, and keeps what was written under the one of here.
 */
function olderTwin(
  host: HostMemory,
  generation: Generation,
  timeline: number,
  source: History,
): string | undefined {
  const numbers = [...source.switches.map(({ parent }) => parent), source.timeline];
  const twin = twinNumber(host, generation, timeline, numbers);
  return twin === undefined
    ? undefined
    : `timeline ${twin} of the leader may be another than the one of that number in its log`;
}

function onDivergence(evidence: RejoinEvidence, why: string, rewindSees: boolean): RejoinPlan {
  const { policy, control, rewindFailed } = evidence;
  const rewindable =
    rewindSees && policy.usePgRewind && control.rewindable && control.checkpointLsn > LSN_ZERO;
  if (rewindable && rewindFailed === undefined) return { kind: 'rewind', why };
  const reclone =
    rewindFailed === undefined ? policy.recloneOnDivergence : policy.recloneOnRewindFailure;
  const reason = rewindFailed === undefined ? why : `${why}; pg_rewind failed: ${rewindFailed}`;
  if (reclone) return { kind: 'reclone', why: reason };
  return {
    kind: 'refuse',
    why: reason,
    remedy:
      'run "pgbaton reinit" for this member, or allow it with remove_data_directory_on_diverged_timelines and remove_data_directory_on_rewind_failure',
  };
}

/** What the histories say, where the numbers of the generation alone did not tell; undefined: nothing against it. */
export function strayFrom(diagnosis: Diagnosis): string | undefined {
  const { own, source, sourceName } = diagnosis;
  if (source === undefined || own.endLsn === undefined) return undefined;
  const relation = relate(own.timeline, own.endLsn, source);
  if (relation.kind === 'ancestor') return undefined;
  return `its log on timeline ${own.timeline} up to ${formatLsn(own.endLsn)} is not part of the history of ${sourceName}`;
}
