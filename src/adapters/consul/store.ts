import type { ConsulSettings } from '../../core/service-settings.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  ClusterStore,
  ReadAnswer,
  SessionAnswer,
  StoreFailure,
} from '../../ports/cluster-store.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { decodeCluster } from '../../wire/consul/cluster.ts';
import { parseJson } from '../../wire/consul/json.ts';
import { clusterPrefix, virtualNodeName } from '../../wire/consul/keys.ts';
import { decodeKvList } from '../../wire/consul/kv.ts';
import { Addresses } from './addresses.ts';
import { createRights } from './rights.ts';
import { createSessions } from './sessions.ts';
import { readWriteReply, toOperations } from './transaction.ts';
import type { Call, Reply } from './transport.ts';

export interface ConsulStoreOptions {
  readonly scope: string;
  readonly namespace: string;
  readonly memberName: string;
  readonly settings: ConsulSettings;
  /** Raised to Consul's minimum, 10 s. The server ends a session only after twice this. */
  readonly sessionTtlMillis: Millis;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The cluster's keys in Consul. Reads are consistent, watches inform only. Nothing below this
 * repeats a write; every method answers with a value within its timeout.
 */
export function createConsulStore(options: ConsulStoreOptions): ClusterStore & { close(): void } {
  const { settings, clock, logger } = options;
  const prefix = clusterPrefix(options.namespace, options.scope);
  const addresses = new Addresses(settings, clock, logger);
  const nodePrefix = virtualNodeName(options.scope, '');
  const rights = createRights({ prefix, nodePrefix }, logger);
  const sessions = createSessions(
    addresses,
    {
      scope: options.scope,
      memberName: options.memberName,
      ttlMillis: options.sessionTtlMillis,
      checks: settings.checks,
    },
    clock,
    logger,
  );

  const noted = (answer: SessionAnswer): SessionAnswer => {
    rights.note('session', answer.kind === 'failed' ? answer.failure : undefined);
    return answer;
  };

  return {
    read: async (timeoutMillis) => {
      const call = listCall('read', prefix, { consistent: true });
      return readListReply(prefix, await addresses.ask(call, timeoutMillis));
    },
    watch: async (index, waitMillis, signal) => {
      const wait = Math.max(1, Math.ceil(waitMillis));
      const call = listCall('watch', prefix, {
        ...(index > 0 ? { index: String(index), wait: `${wait}ms` } : {}),
        ...(settings.consistency === 'default' ? {} : { [settings.consistency]: true }),
      });
      const answer = readListReply(
        prefix,
        await addresses.wait(call, wait * SERVER_JITTER + WATCH_MARGIN_MILLIS, signal),
      );
      // An index that went backwards means nothing any more: Consul was restored, or tombstones
      // were reaped. Index 0 makes the next watch answer at once.
      return answer.kind === 'read' && answer.index < index ? { ...answer, index: 0 } : answer;
    },
    commit: async (write, timeoutMillis) => {
      const operations = toOperations(prefix, write);
      const call: Call = {
        name: 'commit',
        send: (client, common) => client.transaction.create(operations, common),
      };
      const answer = readWriteReply(prefix, write, await addresses.sendOnce(call, timeoutMillis));
      rights.note('keys', 'failure' in answer ? answer.failure : undefined);
      return answer;
    },
    openSession: async (timeoutMillis) => noted(await sessions.open(timeoutMillis)),
    renewSession: async (session, timeoutMillis) =>
      noted(await sessions.renew(session, timeoutMillis)),
    closeSession: (session, timeoutMillis) => sessions.close(session, timeoutMillis),
    close: () => {
      addresses.close();
    },
  };
}

/** The server adds up to a sixteenth to the wait. */
const SERVER_JITTER = 17 / 16;
const WATCH_MARGIN_MILLIS: Millis = 1_000;

/**
 * `raw` makes the client library hand the body on as bytes; its own decoding throws outside of any
 * promise on a list that holds no objects. Consul ignores the flag together with `recurse`.
 */
const listCall = (name: string, prefix: string, query: object): Call => ({
  name,
  send: (client, common) =>
    client.kv.get({ ...common, ...query, key: prefix, recurse: true, raw: true }),
});

function readListReply(prefix: string, reply: Reply): ReadAnswer {
  if (reply.kind === 'silence') return { kind: 'failed', failure: reply.failure };
  if (reply.status !== 200 && reply.status !== 404) {
    return { kind: 'failed', failure: reply.failed };
  }
  const index = indexOfHeader(reply.headers['x-consul-index']);
  if (index === undefined) return unintelligible(reply.failed, 'no X-Consul-Index');
  if (reply.status === 404) return { kind: 'read', record: decodeCluster(prefix, []), index };
  const body = Buffer.isBuffer(reply.body) ? parseJson(reply.body.toString('utf8')) : undefined;
  if (body?.ok !== true) return unintelligible(reply.failed, 'not JSON');
  const entries = decodeKvList(body.value);
  if (!entries.ok) return unintelligible(reply.failed, entries.error);
  return { kind: 'read', record: decodeCluster(prefix, entries.value), index };
}

/** Never below 1: a blocking query with index 0 answers at once, again and again. */
function indexOfHeader(header: string | readonly string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,15}$/.test(header)) return undefined;
  return Math.max(1, Number(header));
}

const unintelligible = (failed: StoreFailure, why: string): ReadAnswer => ({
  kind: 'failed',
  failure: { code: 'unintelligible', message: `${failed.message.slice(0, 150)} (${why})` },
});
