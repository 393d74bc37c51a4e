import { z } from 'zod';
import { plus, since } from '../../core/time.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SessionAnswer, StoreFailure } from '../../ports/cluster-store.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { sessionName, virtualNodeName } from '../../wire/consul/keys.ts';
import type { Addresses } from './addresses.ts';
import { textOfBody } from './transport.ts';
import type { Call, Reply } from './transport.ts';

/**
 * The session that holds `leader` and `members/<name>`, on a catalog node of its own without
 * checks: it then survives the restart of the local Consul agent, which takes all sessions of its
 * own node with it. Sources: agent/session_endpoint.go, agent/consul/session_endpoint.go.
 */
export interface Sessions {
  open(timeoutMillis: Millis): Promise<SessionAnswer>;
  renew(session: string, timeoutMillis: Millis): Promise<SessionAnswer>;
  close(session: string, timeoutMillis: Millis): Promise<void>;
}

export interface SessionOptions {
  readonly scope: string;
  readonly memberName: string;
  readonly ttlMillis: Millis;
  /** Health checks of the local node that the session shall depend on; the virtual node has none. */
  readonly checks: readonly string[];
}

/** Consul's own floor, unless its servers set `session_ttl_min`. */
const MIN_TTL_MILLIS: Millis = 10_000;
/** As Patroni: a lock lost by force is free at once. 0 would mean Consul's default of 15 s. */
const LOCK_DELAY = '1ms';

type Opened =
  { readonly kind: 'session'; readonly answer: SessionAnswer } | { readonly kind: 'retry' };

export function createSessions(
  addresses: Addresses,
  options: SessionOptions,
  clock: Clock,
  logger: Logger,
): Sessions {
  const node = virtualNodeName(options.scope, options.memberName);
  let ttlMillis = Math.max(MIN_TTL_MILLIS, options.ttlMillis);
  const virtualNode = nodeRegistration(addresses, node, logger);

  const create = async (onNode: string | undefined, timeoutMillis: Millis): Promise<Opened> => {
    const name = sessionName(options.scope, options.memberName);
    const call = createCall({ name, ttlMillis, node: onNode, checks: options.checks });
    const reply = await addresses.sendOnce(call, timeoutMillis);
    if (reply.kind === 'silence') return failed(reply.failure);
    if (reply.status === 200) {
      const created = createdSchema.safeParse(reply.body);
      if (!created.success) return failed({ ...reply.failed, code: 'unintelligible' });
      return { kind: 'session', answer: { kind: 'open', session: created.data.ID, ttlMillis } };
    }
    const minimum = minimumTtl(textOfBody(reply.body));
    if (minimum === undefined || minimum <= ttlMillis) return failed(reply.failed);
    logger.log('warn', 'consul wants longer sessions than configured', {
      ttlMillis,
      minimumMillis: minimum,
    });
    ttlMillis = minimum;
    return { kind: 'retry' };
  };

  const open = async (timeoutMillis: Millis): Promise<SessionAnswer> => {
    const deadline = plus(clock.now(), timeoutMillis);
    const left = (): Millis => Math.max(1, since(clock.now(), deadline));
    const registered = options.checks.length === 0 && (await virtualNode.register(left()));
    if (typeof registered === 'object') return { kind: 'failed', failure: registered };
    let onNode = registered ? node : undefined;
    // At most: without rights on the node, then with the longer TTL, then for good.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const opened = await create(onNode, left());
      if (opened.kind === 'retry') continue;
      const { answer } = opened;
      const denied = answer.kind === 'failed' && answer.failure.code === 'forbidden';
      if (!denied || onNode === undefined) return answer;
      virtualNode.warn(answer.failure, 'session');
      onNode = undefined;
    }
    return {
      kind: 'failed',
      failure: { code: 'server-error', message: 'consul accepts no TTL for the session' },
    };
  };

  return {
    open,
    renew: async (session, timeoutMillis) => {
      const reply = await addresses.sendOnce(renewCall(session), timeoutMillis);
      return readRenewal(reply, session, ttlMillis);
    },
    close: async (session, timeoutMillis) => {
      await addresses.sendOnce(destroyCall(session), timeoutMillis);
    },
  };
}

function readRenewal(reply: Reply, session: string, ttlMillis: Millis): SessionAnswer {
  if (reply.kind === 'silence') return { kind: 'failed', failure: reply.failure };
  if (reply.status === 200 && renewedSchema.safeParse(reply.body).success) {
    return { kind: 'open', session, ttlMillis };
  }
  // Only Consul's own words count: a 404 of something else says nothing about the session.
  if (reply.status === 404 && /session id/i.test(textOfBody(reply.body))) return { kind: 'gone' };
  return { kind: 'failed', failure: reply.failed };
}

interface NodeRegistration {
  /** True: there; false: not permitted. */
  register(timeoutMillis: Millis): Promise<boolean | StoreFailure>;
  /** Once: the same right is missing every time. */
  warn(failure: StoreFailure, rule: 'node' | 'session'): void;
}

function nodeRegistration(addresses: Addresses, node: string, logger: Logger): NodeRegistration {
  let warned = false;
  const warn: NodeRegistration['warn'] = (failure, rule) => {
    if (warned) return;
    warned = true;
    logger.log('warn', 'consul session stands on the local agent: its restart will end it', {
      reason: failure.message,
      remedy: `grant the token ${rule} "${node}" { policy = "write" }, or ${rule}_prefix as config/consul-acl.hcl does`,
    });
  };
  return {
    warn,
    register: async (timeoutMillis) => {
      const reply = await addresses.sendOnce(registerCall(node), timeoutMillis);
      if (reply.kind === 'silence') return reply.failure;
      if (reply.status === 200) return true;
      if (!isForbidden(reply)) return reply.failed;
      warn(reply.failed, 'node');
      return false;
    },
  };
}

const failed = (failure: StoreFailure): Opened => ({
  kind: 'session',
  answer: { kind: 'failed', failure },
});

/** A transaction says per operation what is not permitted, with the status of a conflict. */
const isForbidden = (reply: Extract<Reply, { kind: 'reply' }>): boolean =>
  reply.failed.code === 'forbidden' || /permission denied/i.test(textOfBody(reply.body));

const createdSchema = z.object({ ID: z.string().min(1) });
const renewedSchema = z.array(z.object({ ID: z.string() })).nonempty();

/** By a transaction, because the client library knows no `/v1/catalog/register`; the effect is the same. */
const registerCall = (node: string): Call => ({
  name: 'register node',
  send: (client, options) =>
    client.transaction.create(
      [{ Node: { Verb: 'set', Node: { Node: node, Address: '127.0.0.1' } } }],
      options,
    ),
});

interface SessionBody {
  readonly name: string;
  readonly ttlMillis: Millis;
  readonly node: string | undefined;
  readonly checks: readonly string[];
}

/** `checks` must be given even when empty: without it the session depends on serfHealth. */
const createCall = ({ name, ttlMillis, node, checks }: SessionBody): Call => ({
  name: 'create session',
  send: (client, options) =>
    client.session.create({
      ...options,
      name,
      ...(node === undefined ? {} : { node }),
      checks,
      behavior: 'delete',
      lockdelay: LOCK_DELAY,
      ttl: `${ttlMillis}ms`,
    }),
});

const renewCall = (session: string): Call => ({
  name: 'renew session',
  send: (client, options) => client.session.renew({ ...options, id: session }),
});

const destroyCall = (session: string): Call => ({
  name: 'destroy session',
  send: (client, options) => client.session.destroy({ ...options, id: session }),
});

const UNIT_MILLIS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** From `Invalid Session TTL '1000000000', must be between [10s=24h0m0s]`. */
export function minimumTtl(text: string): Millis | undefined {
  const range = /Invalid Session TTL.*\[([0-9a-z.]+)=/.exec(text);
  if (range?.[1] === undefined) return undefined;
  let millis = 0;
  for (const [, count, unit] of range[1].matchAll(/([\d.]+)(ms|h|m|s)/g)) {
    millis += Number(count) * (UNIT_MILLIS[unit ?? ''] ?? Number.NaN);
  }
  return Number.isFinite(millis) && millis > 0 ? Math.ceil(millis) : undefined;
}
