import type { AgentFacade } from '../agent/facade.ts';
import type { Meter } from '../ports/telemetry.ts';
import { createLogger, type AgentLogger, type LogOptions } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export interface Telemetry {
  readonly logger: AgentLogger;
  readonly meter: Meter;
  readonly metrics: Pick<Metrics, 'text'>;
  /** From now on scrapes show the state of this agent. */
  attach(agent: AgentFacade): void;
  /** The last lines are handed over, as far as somebody takes them. */
  close(): Promise<void>;
}

/** Log and metrics of one agent. */
export async function createTelemetry(options: LogOptions): Promise<Telemetry> {
  const logger = await createLogger(options);
  const metrics = createMetrics({ scope: options.scope, name: options.name, logger });
  return {
    logger,
    meter: metrics.meter,
    metrics,
    attach: (agent) => {
      metrics.attach(agent);
    },
    async close() {
      metrics.close();
      await logger.flush();
    },
  };
}
