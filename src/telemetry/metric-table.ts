import type { BrakeState } from '../core/brake.ts';
import type { FenceCause } from '../core/action.ts';
import { RULES } from '../core/decide.ts';
import type { JobKind } from '../core/job.ts';
import type { TakeoverBasis } from '../core/takeover-verdict.ts';
import type { StoreFailure, WriteAnswer } from '../ports/cluster-store.ts';
import type { PostmasterExit } from '../ports/guardian.ts';

/** Metrics that are counted as things happen. Names without the prefix `pgbaton_`, as ports use them. */

export interface EventMetric {
  readonly name: string;
  readonly type: 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /**
   * Values by label that are there with 0 from the start: Prometheus sees no increase in a series that
   * begins with its first event. Empty: the label's values are not known before.
   */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds in seconds, of histograms. */
  readonly buckets?: readonly number[];
}

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const PHASE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 30, 60, 120];
const JOB_SECONDS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];

/** The compiler refuses a word that is missing. */
const words = <T extends string>(all: Readonly<Record<T, true>>): readonly string[] =>
  Object.keys(all);

const FAILOVER_CAUSES = words<Exclude<TakeoverBasis, 'released'>>({
  'lease-over': true,
  'own-lapsed': true,
  empty: true,
});

const DEMOTION_CAUSES = words<PostmasterExit['cause'] | 'replaced' | 'unknown'>({
  exited: true,
  deadline: true,
  fenced: true,
  stopped: true,
  replaced: true,
  unknown: true,
});

const FENCE_CAUSES = words<FenceCause>({
  'lease-over': true,
  'no-lease': true,
  'guardian-silent': true,
  'foreign-postmaster': true,
  'promotion-failed': true,
  'start-timeout': true,
  'watchdog-lost': true,
  leftovers: true,
  hung: true,
});

const BEAT_OUTCOMES = words<WriteAnswer['kind']>({
  committed: true,
  refused: true,
  unknown: true,
  'not-done': true,
});

const BRAKES = words<Exclude<BrakeState, 'off'>>({ held: true, frozen: true });

const STORE_ERRORS = words<StoreFailure['code']>({
  timeout: true,
  unreachable: true,
  'no-leader': true,
  'server-error': true,
  forbidden: true,
  unintelligible: true,
  cancelled: true,
});

const JOBS = words<JobKind>({
  start: true,
  stop: true,
  promote: true,
  initialise: true,
  'finish-bootstrap': true,
  clone: true,
  rewind: true,
  diagnose: true,
  checkpoint: true,
  'set-aside': true,
});

const CALLBACK_EVENTS = ['on_start', 'on_stop', 'on_restart', 'on_reload', 'on_role_change'];
const OUTCOMES = ['done', 'failed'];
const STORE_OPERATIONS = ['read', 'commit', 'open_session', 'renew_session'];
const PHASES = ['detect', 'elect', 'promote', 'total', 'hand_over', 'fence'];

const counter = (
  name: string,
  help: string,
  values: Readonly<Record<string, readonly string[]>> = {},
): EventMetric => ({ name, type: 'counter', help, labels: Object.keys(values), values });

const histogram = (
  name: string,
  help: string,
  buckets: readonly number[],
  values: Readonly<Record<string, readonly string[]>> = {},
): EventMetric => ({ name, type: 'histogram', help, labels: Object.keys(values), values, buckets });

export const EVENT_METRICS: readonly EventMetric[] = [
  counter(
    'failovers_total',
    'Times this member took over because the leader was gone, by what showed that (empty: Consul had lost all)',
    { cause: FAILOVER_CAUSES },
  ),
  counter('switchovers_total', 'Times this member took over because the leader handed over'),
  counter('demotions_total', 'Times this member stopped being the primary, by cause', {
    cause: DEMOTION_CAUSES,
  }),
  counter('fences_total', 'Times Postgres was stopped at once to keep the lease, by cause', {
    cause: FENCE_CAUSES,
  }),
  counter('fences_failed_total', 'Times a fence could not prove Postgres down'),
  counter('leases_lapsed_total', 'Times the lease ended before a heartbeat was acknowledged'),
  counter('failsafe_activations_total', 'Times the promises of members carried the lease'),
  counter('commit_brakes_total', 'Times commits were kept from being acknowledged, by how', {
    how: BRAKES,
  }),
  counter('heartbeats_total', 'Heartbeats by what Consul answered', { outcome: BEAT_OUTCOMES }),
  counter('decisions_total', 'Decisions that differed from the one before, by rule', {
    rule: RULES.map(({ number }) => `R${number}`),
  }),
  counter('actions_total', 'What decisions ordered, by the rule that did', {
    rule: [],
    action: [],
  }),
  counter('store_errors_total', 'Requests to Consul that failed, by code', { code: STORE_ERRORS }),
  counter('host_state_errors_total', 'Times what this host must not forget could not be saved'),
  counter('jobs_total', 'Long work that ended, by kind and outcome', {
    kind: JOBS,
    outcome: OUTCOMES,
  }),
  counter('callbacks_total', "Operators' callbacks that ended, by event and outcome", {
    event: CALLBACK_EVENTS,
    outcome: OUTCOMES,
  }),
  histogram(
    'heartbeat_seconds',
    'Time from sending a heartbeat to its answer, or to giving up on one',
    REQUEST_SECONDS,
  ),
  histogram(
    'store_request_seconds',
    'Time of requests to Consul, by operation; watches are left out, they wait by design',
    REQUEST_SECONDS,
    { operation: STORE_OPERATIONS },
  ),
  histogram('job_seconds', 'Time of long work, by kind, failed or not', JOB_SECONDS, {
    kind: [],
  }),
  histogram(
    'phase_seconds',
    "Time of the phases of a change of leader: detect (from the last beat or the release to the request), elect, promote, total (from the last beat or the release to a primary), hand_over (as the former leader saw it, from its last write to the next one's first), fence",
    PHASE_SECONDS,
    { phase: PHASES },
  ),
];
