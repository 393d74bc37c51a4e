import { bit, gauge, labelled } from './sampled-metric.ts';
import type { SampledMetric } from './sampled-metric.ts';

/** What the agent decides, does and needs, beside what it knows of Postgres and the lease. */
export const ACTIVITY_GAUGES: readonly SampledMetric[] = [
  gauge('pgbaton_members', 'Members in Consul, this one included', ({ record }) =>
    record === undefined ? undefined : record.members.length,
  ),
  gauge('pgbaton_can_take_over', '1 on a standby that could take over now', (sample) =>
    bit(sample.status.role === 'replica' && sample.canTakeOver),
  ),
  labelled(
    'pgbaton_rule',
    '1 for the rule that made the last decision',
    ['rule', 'rule_name'],
    ({ explanation }) => [
      { value: 1, labels: { rule: explanation.rule, rule_name: explanation.ruleName } },
    ],
  ),
  gauge(
    'pgbaton_decided_seconds',
    'How long the decision has been the same',
    ({ explanation }) => explanation.sinceMillis / 1000,
  ),
  gauge('pgbaton_alive', '1 while decisions are being made, as /liveness says', ({ alive }) =>
    bit(alive),
  ),
  labelled(
    'pgbaton_job_running_seconds',
    'How long the job that runs has been running',
    ['kind'],
    ({ status: { job } }) =>
      job === undefined ? [] : [{ value: job.forMillis / 1000, labels: { kind: job.kind } }],
  ),
  labelled(
    'pgbaton_job_progress_ratio',
    'How much of the clone or rewind that runs is done, 0 to 1',
    ['kind'],
    ({ status: { job } }) =>
      job?.progressRatio === undefined
        ? []
        : [{ value: job.progressRatio, labels: { kind: job.kind } }],
  ),
  gauge(
    'pgbaton_agent_start_time_seconds',
    'Epoch seconds since the agent runs',
    (sample) => sample.process.startedAt,
  ),
  gauge(
    'pgbaton_agent_memory_bytes',
    'Resident memory of the agent',
    (sample) => sample.process.memoryBytes,
  ),
];
