import type { Failure } from './result.ts';
import type { Instant } from './time.ts';

/** Work that takes longer than a decision may. One at a time; its outcome is a fact of a later View. */
export type JobKind =
  | 'start'
  | 'stop'
  | 'promote'
  | 'initialise'
  | 'finish-bootstrap'
  | 'clone'
  | 'rewind'
  | 'diagnose'
  | 'checkpoint'
  | 'set-aside';

export interface RunningJob {
  readonly kind: JobKind;
  readonly startedAt: Instant;
  readonly progress: string | undefined;
}

export interface JobOutcome {
  readonly kind: JobKind;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly failure: Failure | undefined;
}
