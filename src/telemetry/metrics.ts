import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AgentFacade } from '../agent/facade.ts';
import type { Logger, Meter } from '../ports/telemetry.ts';
import { OWN_GAUGES, PATRONI_METRICS } from './gauge-table.ts';
import type { Sample, SampledMetric } from './sampled-metric.ts';
import { EVENT_METRICS, type EventMetric } from './metric-table.ts';

export interface MetricsOptions {
  readonly scope: string;
  readonly name: string;
  readonly logger: Logger;
}

/** Metrics of one agent, in a registry of its own: two agents in one process do not mix. */
export interface Metrics {
  readonly meter: Meter;
  /** Prometheus text 0.0.4. */
  text(): Promise<string>;
  /** From now on scrapes show this agent's state; before, only what was counted. */
  attach(agent: AgentFacade): void;
  close(): void;
}

const PREFIX = 'pgbaton_';
const NANOS_PER_SECOND = 1e9;
const LOOP_RESOLUTION_MILLIS = 20;
const STARTED_AT_SECONDS = (Date.now() - process.uptime() * 1000) / 1000;

type Instrument =
  | { readonly type: 'counter'; readonly counter: Counter }
  | { readonly type: 'histogram'; readonly histogram: Histogram };

function createInstrument(row: EventMetric, registry: Registry): Instrument {
  const options = {
    name: `${PREFIX}${row.name}`,
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
  };
  if (row.type === 'counter') {
    const counter = new Counter(options);
    for (const labels of knownLabels(row)) counter.inc(labels, 0);
    return { type: 'counter', counter };
  }
  const histogram = new Histogram({ ...options, buckets: [...(row.buckets ?? [])] });
  for (const labels of knownLabels(row)) histogram.zero(labels);
  return { type: 'histogram', histogram };
}

/** Every combination of the labels' values that are known from the start. */
function knownLabels({ labels, values }: EventMetric): readonly Readonly<Record<string, string>>[] {
  return labels.reduce<readonly Readonly<Record<string, string>>[]>(
    (rows, label) =>
      rows.flatMap((row) => (values[label] ?? []).map((value) => ({ ...row, [label]: value }))),
    [{}],
  );
}

function createSampled(row: SampledMetric, registry: Registry, sample: () => Sample | undefined) {
  const options = {
    name: row.name,
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
  };
  const points = () => {
    const current = sample();
    return current === undefined ? [] : row.points(current);
  };
  if (row.type === 'gauge') {
    return new Gauge({
      ...options,
      collect() {
        this.reset();
        // Resetting one without labels sets it to 0, which would be a statement.
        if (row.labels.length === 0) this.remove();
        for (const point of points()) this.set(point.labels ?? {}, point.value);
      },
    });
  }
  return new Counter({
    ...options,
    collect() {
      this.reset();
      for (const point of points()) this.inc(point.labels ?? {}, point.value);
    },
  });
}

/** Wrong names and labels are bugs, but none that may stop an agent: they are told once each. */
function createMeter(instruments: ReadonlyMap<string, Instrument>, logger: Logger): Meter {
  const told = new Set<string>();
  const tell = (name: string, error: unknown): void => {
    if (told.has(name)) return;
    told.add(name);
    logger.log('error', 'a metric cannot be recorded', { metric: name, error });
  };
  return {
    count(name, labels = {}) {
      const found = instruments.get(name);
      if (found?.type !== 'counter') {
        tell(name, new Error('no such counter'));
        return;
      }
      try {
        found.counter.inc(labels);
      } catch (error) {
        tell(name, error);
      }
    },
    observe(name, durationMillis, labels = {}) {
      const found = instruments.get(name);
      if (found?.type !== 'histogram') {
        tell(name, new Error('no such histogram'));
        return;
      }
      try {
        found.histogram.observe(labels, durationMillis / 1000);
      } catch (error) {
        tell(name, error);
      }
    },
  };
}

function readDelay(histogram: IntervalHistogram): Sample['eventLoopDelaySeconds'] {
  // The histogram counts its own sampling interval as delay; without samples it holds nonsense.
  const idle = LOOP_RESOLUTION_MILLIS / 1000;
  const over = (nanos: number): number =>
    histogram.count === 0 ? 0 : Math.max(0, nanos / NANOS_PER_SECOND - idle);
  return { mean: over(histogram.mean), max: over(histogram.max) };
}

/** Every metric of the tables, labelled with scope and name. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ scope: options.scope, name: options.name });
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MILLIS });
  delay.enable();

  let agent: AgentFacade | undefined;
  let sample: Sample | undefined;
  const instruments = new Map(
    EVENT_METRICS.map((row) => [row.name, createInstrument(row, registry)]),
  );
  for (const row of [...PATRONI_METRICS, ...OWN_GAUGES]) {
    createSampled(row, registry, () => sample);
  }
  return {
    meter: createMeter(instruments, options.logger),
    async text() {
      if (agent !== undefined) {
        sample = {
          status: agent.status(),
          settings: agent.settings(),
          explanation: agent.explain(),
          canTakeOver: agent.peerReport().canTakeOver.able,
          alive: agent.alive(),
          process: { startedAt: STARTED_AT_SECONDS, memoryBytes: process.memoryUsage.rss() },
          version: agent.version(),
          record: agent.cluster()?.record,
          eventLoopDelaySeconds: readDelay(delay),
        };
        delay.reset();
      }
      return registry.metrics();
    },
    attach(attached) {
      agent = attached;
    },
    close() {
      delay.disable();
      registry.clear();
    },
  };
}
