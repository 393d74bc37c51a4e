/** Metrics that are counted as things happen. Names without the prefix `pgbaton_`, as ports use them. */

export interface EventMetric {
  readonly name: string;
  readonly type: 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds in seconds, of histograms. */
  readonly buckets?: readonly number[];
}

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const PHASE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 30, 60, 120];

const counter = (name: string, help: string, labels: readonly string[] = []): EventMetric => ({
  name,
  type: 'counter',
  help,
  labels,
});

const histogram = (
  name: string,
  help: string,
  labels: readonly string[],
  buckets: readonly number[],
): EventMetric => ({ name, type: 'histogram', help, labels, buckets });

export const EVENT_METRICS: readonly EventMetric[] = [
  counter('failovers_total', 'Times this member took over because the leader was gone'),
  counter('switchovers_total', 'Times this member took over because the leader handed over'),
  counter('demotions_total', 'Times this member stopped being the primary, by cause', ['cause']),
  counter('fences_total', 'Times Postgres was stopped at once to keep the lease, by cause', [
    'cause',
  ]),
  counter('leases_lapsed_total', 'Times the lease ended before a heartbeat was acknowledged'),
  counter('failsafe_activations_total', 'Times the promises of all members carried the lease'),
  counter('decisions_total', 'Decisions by the rule that made them', ['rule']),
  counter('store_errors_total', 'Requests to Consul that failed, by code', ['code']),
  counter('jobs_total', 'Long work that ended, by kind and outcome', ['kind', 'outcome']),
  histogram(
    'heartbeat_seconds',
    'Time from sending a heartbeat to its acknowledgement',
    [],
    REQUEST_SECONDS,
  ),
  histogram(
    'store_request_seconds',
    'Time of requests to Consul, by operation',
    ['operation'],
    REQUEST_SECONDS,
  ),
  histogram(
    'phase_seconds',
    'Time of the phases of a failover: detect, elect, promote, first_write',
    ['phase'],
    PHASE_SECONDS,
  ),
];
