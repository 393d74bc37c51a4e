import type { AgentFacade } from '../agent/facade.ts';
import { commandHandlers } from './commands.ts';
import type { EndpointId, HealthCheck } from './endpoints.ts';
import { json, type Handler } from './exchange.ts';
import { peerHandler, promiseHandler, withdrawHandler } from './promises.ts';
import { clusterHandlers, explainHandler, healthHandler } from './reports.ts';
import { statusDocument } from './status-document.ts';

/** Text of `GET /metrics`, in the exposition format of Prometheus 0.0.4. */
export interface MetricsText {
  text(): Promise<string>;
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One handler for each row of the endpoint table. */
export function createHandlers(
  agent: AgentFacade,
  metrics: MetricsText,
): Readonly<Record<EndpointId, Handler>> {
  const health = (check: HealthCheck): Handler => healthHandler(agent, check);
  return {
    primary: health('primary'),
    leader: health('leader'),
    'standby-leader': health('standby-leader'),
    replica: health('replica'),
    'read-only': health('read-only'),
    sync: health('sync'),
    quorum: health('quorum'),
    'read-only-sync': health('read-only-sync'),
    'read-only-quorum': health('read-only-quorum'),
    async: health('async'),
    health: health('health'),
    liveness: health('liveness'),
    readiness: health('readiness'),
    patroni: () => json(200, statusDocument(agent, agent.status())),
    metrics: async () => ({
      status: 200,
      contentType: METRICS_TYPE,
      body: await metrics.text(),
      headers: {},
    }),
    explain: explainHandler(agent),
    peer: peerHandler(agent),
    promise: promiseHandler(agent),
    withdraw: withdrawHandler(agent),
    ...clusterHandlers(agent),
    ...commandHandlers(agent),
  };
}
