import { server } from './facts.ts';
import type { JobKind, JobOutcome } from './job.ts';
import type { Memory } from './memory.ts';
import type { View } from './view.ts';

/** Success of one of these ends what was remembered of failures. */
const MENDS: ReadonlySet<JobKind> = new Set([
  'start',
  'promote',
  'clone',
  'finish-bootstrap',
  'initialise',
  'rewind',
]);

/** Takes the outcome of a job in, once: counts failures in a row, forgets them on success. */
export function takeInOutcome(view: View, before: Memory): Memory {
  const memory = withoutFinished(view, before);
  const outcome = view.lastJob;
  if (outcome === undefined || outcome.endedAt === memory.seenOutcomeAt) return memory;
  const seen: Memory = { ...memory, seenOutcomeAt: outcome.endedAt };
  return outcome.failure === undefined
    ? onSuccess(seen, outcome)
    : onFailure(seen, outcome, outcome.failure.code);
}

/** What an operator asked for has ended with a Postgres that was started since. */
function withoutFinished(view: View, memory: Memory): Memory {
  const { manual } = memory;
  if (manual === undefined || view.postmaster.kind !== 'up') return memory;
  const runs = view.postmaster.startedAt > manual.since && server(view) !== undefined;
  return runs ? { ...memory, manual: undefined } : memory;
}

function onSuccess(memory: Memory, outcome: JobOutcome): Memory {
  const failures = MENDS.has(outcome.kind) ? undefined : memory.failures;
  const reclone = outcome.kind === 'clone' ? undefined : memory.reclone;
  // What was started since may have to be rewound anew.
  const rewindUnder = outcome.kind === 'start' ? undefined : memory.rewindUnder;
  return { ...memory, failures, reclone, rewindUnder };
}

function onFailure(memory: Memory, outcome: JobOutcome, code: string): Memory {
  const last = memory.failures;
  // A rewind often fails because its source died, and then another leads before that is known.
  const under = outcome.kind === 'rewind' ? memory.rewindUnder : undefined;
  const same = last?.kind === outcome.kind && last.under === under ? last.count : 0;
  return {
    ...memory,
    failures: { kind: outcome.kind, count: same + 1, lastAt: outcome.endedAt, code, under },
  };
}
