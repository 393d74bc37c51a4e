import type { AgentFacade } from '../agent/facade.ts';
import { valueOf, type Slot, type SyncKey } from '../core/cluster.ts';
import { formatLsn } from '../core/lsn.ts';
import type { SynchronousPolicy } from '../core/settings.ts';
import { listedStandbys } from '../core/synchronous-set.ts';
import type { JsonWritable } from '../wire/rest/json-text.ts';
import { clusterDocument, historyDocument, type Reading } from './cluster-documents.ts';
import type { HealthCheck } from './endpoints.ts';
import { error, json, statusOnly, type Handler, type Reply } from './exchange.ts';
import { isHealthy, type HealthFacts } from './health.ts';
import { standingHere, statusDocument } from './status-document.ts';

/** The checks of orchestrators, which read no body. */
const WITHOUT_BODY: ReadonlySet<HealthCheck> = new Set(['liveness', 'readiness']);

/** Answers from memory: nothing here may wait. */
export function healthHandler(agent: AgentFacade, check: HealthCheck): Handler {
  return (call) => {
    const status = agent.status();
    const { member, policy } = agent.settings();
    const facts: HealthFacts = {
      status,
      standing: standingHere(agent),
      alive: agent.alive(),
      noloadbalance: member.tags.noloadbalance,
      tags: member.tags.published,
      maximumLagBytes: policy.maximumLagOnFailoverBytes,
    };
    const code = isHealthy(check, facts, call.query) ? 200 : 503;
    return WITHOUT_BODY.has(check) ? statusOnly(code) : json(code, statusDocument(agent, status));
  };
}

/**
 * At most one read of Consul runs and one waits, however many ask: a caller gets a read that began
 * after it asked, and a crowd cannot turn into load on Consul.
 */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    const begun = read().finally(() => {
      if (running === begun) running = undefined;
    });
    running = begun;
    return begun;
  };
  const startNext = (): Promise<T> => {
    next = undefined;
    return start();
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(startNext, startNext);
    return next;
  };
}

const NOTHING_READ = 'Consul has not been read yet: see /explain and the log of this member';

const withAge = (reading: Reading): Readonly<Record<string, string>> => ({
  'x-pgbaton-age-ms': String(Math.round(reading.ageMillis)),
});

/** Documents about the cluster, from a fresh read, or else from the last one with its age. */
export function clusterHandlers(agent: AgentFacade) {
  const read = shared(() => agent.readCluster());
  const answering =
    (answer: (reading: Reading) => Reply): Handler =>
    async () => {
      const reading = await read();
      return reading === undefined ? error(503, 'store-unread', NOTHING_READ) : answer(reading);
    };
  return {
    cluster: answering((reading) => json(200, clusterDocument(agent, reading), withAge(reading))),
    history: answering((reading) => json(200, historyDocument(reading.record), withAge(reading))),
    config: answering((reading) => {
      const config = valueOf(reading.record.config);
      return config === undefined
        ? error(502, 'no-config', 'the key config is missing or cannot be read')
        : json(200, config, withAge(reading));
    }),
    failsafe: answering((reading) => {
      const members = valueOf(reading.record.failsafe);
      return members === undefined
        ? error(502, 'no-failsafe', 'failsafe_mode is off, or its key is missing')
        : json(200, members, withAge(reading));
    }),
  };
}

/** The synchronous set as last read; null while nothing is promised and nothing asked for. */
function synchronousMembers(
  mode: SynchronousPolicy['mode'],
  slot: Slot<SyncKey> | undefined,
): JsonWritable {
  const sync = slot === undefined ? undefined : valueOf(slot);
  if (mode === 'off' && sync?.leader === undefined) return null;
  return {
    mode,
    leader: sync?.leader ?? null,
    standbys: [...listedStandbys(sync)],
    quorum: sync?.quorum ?? 0,
  };
}

/** `GET /explain` */
export const explainHandler =
  (agent: AgentFacade): Handler =>
  () => {
    const decision = agent.explain();
    const { member, policy } = agent.settings();
    return json(200, {
      name: member.name,
      rule: decision.rule,
      rule_name: decision.ruleName,
      why: decision.why,
      waits_for: decision.waitsFor,
      since_ms: decision.sinceMillis,
      synchronous: synchronousMembers(policy.synchronous.mode, agent.cluster()?.record.sync),
      candidates: decision.candidates.map((candidate) => ({
        name: candidate.name,
        eligible: candidate.eligible,
        why: candidate.why,
        lsn: candidate.lsn === undefined ? null : formatLsn(candidate.lsn),
        timeline: candidate.timeline ?? null,
      })),
    });
  };
