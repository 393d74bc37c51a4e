import { z } from 'zod';
import { assert } from '../../core/assert.ts';
import type {
  Entry,
  Guard,
  StoreFailure,
  StoreWrite,
  WriteAnswer,
} from '../../ports/cluster-store.ts';
import { generationCodec, leaseCodec } from '../../wire/consul/lease.ts';
import { encodeMember } from '../../wire/consul/member.ts';
import {
  failoverCodec,
  failsafeCodec,
  historyCodec,
  initializeCodec,
  leaderCodec,
  objectCodec,
  statusCodec,
  syncCodec,
} from '../../wire/consul/patroni-keys.ts';
import type { Reply } from './transport.ts';

/**
 * Consul's transaction API (`PUT /v1/txn`): all operations or none, and an answer per operation
 * that did not hold. Checked on Consul 1.8.7; sources: agent/txn_endpoint.go,
 * agent/consul/txn_endpoint.go, agent/consul/state/txn.go.
 */

/** Consul refuses more: agent/txn_endpoint.go, maxTxnOps. */
const MAX_OPERATIONS = 64;

/** The text stored for an entry. */
export function encodeEntry(entry: Entry): string {
  switch (entry.key) {
    case 'generation':
      return generationCodec.encode(entry.value);
    case 'lease':
      return leaseCodec.encode(entry.value);
    case 'leader':
      return leaderCodec.encode(entry.value);
    case 'status':
      return statusCodec.encode(entry.value);
    case 'initialize':
      return initializeCodec.encode(entry.value);
    case 'config':
      return objectCodec.encode(entry.value);
    case 'failover':
      return failoverCodec.encode(entry.value);
    case 'history':
      return historyCodec.encode(entry.value);
    case 'sync':
      return syncCodec.encode(entry.value);
    case 'failsafe':
      return failsafeCodec.encode(entry.value);
    default:
      return encodeNamed(entry);
  }
}

type NamedEntry = Extract<Entry, { key: `members/${string}` | `events/${string}` }>;

const isMember = (entry: NamedEntry): entry is Extract<Entry, { key: `members/${string}` }> =>
  entry.key.startsWith('members/');

const encodeNamed = (entry: NamedEntry): string =>
  isMember(entry) ? encodeMember(entry.value) : objectCodec.encode(entry.value);

interface KvOperation {
  readonly KV: {
    readonly Verb: string;
    readonly Key: string;
    readonly Value?: string;
    readonly Index?: number;
    readonly Session?: string;
  };
}

/** Guards first, so that every one is judged on the state before the changes. */
export function toOperations(prefix: string, write: StoreWrite): KvOperation[] {
  const operations = [
    ...write.guards.map((guard) => guardOperation(prefix, guard)),
    ...write.changes.map((change): KvOperation => {
      if (change.kind === 'delete') return { KV: { Verb: 'delete', Key: prefix + change.key } };
      const value = Buffer.from(encodeEntry(change.entry), 'utf8').toString('base64');
      const target = { Key: prefix + change.entry.key, Value: value };
      return change.kind === 'set'
        ? { KV: { Verb: 'set', ...target } }
        : { KV: { Verb: 'lock', ...target, Session: change.session } };
    }),
  ];
  assert(operations.length > 0, 'a transaction needs an operation');
  assert(operations.length <= MAX_OPERATIONS, `more than ${MAX_OPERATIONS} operations`);
  return operations;
}

function guardOperation(prefix: string, guard: Guard): KvOperation {
  const Key = prefix + guard.key;
  if (guard.kind === 'session') {
    return { KV: { Verb: 'check-session', Key, Session: guard.session } };
  }
  return guard.index === 0
    ? { KV: { Verb: 'check-not-exists', Key } }
    : { KV: { Verb: 'check-index', Key, Index: guard.index } };
}

const resultsSchema = z.object({
  Results: z.array(
    z.object({ KV: z.object({ Key: z.string(), ModifyIndex: z.int().positive() }) }),
  ),
  Errors: z.array(z.unknown()).length(0).nullish(),
});

const errorsSchema = z.object({
  Errors: z.array(z.object({ OpIndex: z.int().nonnegative(), What: z.string() })).nonempty(),
});

type Refusal = z.infer<typeof errorsSchema>['Errors'][number];

/**
 * What the answer proves. Everything that is neither a clear yes nor a clear no is unknown: a 500
 * may have committed, and a request without an answer may commit seconds later.
 */
export function readWriteReply(prefix: string, write: StoreWrite, reply: Reply): WriteAnswer {
  if (reply.kind === 'silence') {
    return reply.sent
      ? { kind: 'unknown', failure: reply.failure }
      : { kind: 'not-done', failure: reply.failure };
  }
  if (reply.status === 200) return readCommitted(prefix, write, reply.body, reply.failed);
  if (reply.status === 409) return readRefused(write, reply.body, reply.failed);
  return REJECTED_UNSEEN.has(reply.status)
    ? { kind: 'not-done', failure: reply.failed }
    : { kind: 'unknown', failure: reply.failed };
}

/** Statuses that Consul gives before it proposes a transaction: bad form, no permission, too large. */
const REJECTED_UNSEEN: ReadonlySet<number> = new Set([400, 401, 403, 413]);

function readCommitted(
  prefix: string,
  write: StoreWrite,
  body: unknown,
  failed: StoreFailure,
): WriteAnswer {
  const results = resultsSchema.safeParse(body);
  if (!results.success) return unintelligible(failed, 'not the answer of a transaction');
  const indexes: Record<string, number> = {};
  for (const change of write.changes) if (change.kind === 'delete') indexes[change.key] = 0;
  for (const { KV } of results.data.Results) {
    if (KV.Key.startsWith(prefix)) indexes[KV.Key.slice(prefix.length)] = KV.ModifyIndex;
  }
  for (const change of write.changes) {
    if (change.kind !== 'delete' && !(change.entry.key in indexes)) {
      return unintelligible(failed, `no index for ${change.entry.key}`);
    }
  }
  return { kind: 'committed', indexes };
}

const PERMISSION_DENIED = /permission denied/i;
const REASON_LENGTH = 300;

function readRefused(write: StoreWrite, body: unknown, failed: StoreFailure): WriteAnswer {
  const errors = errorsSchema.safeParse(body);
  if (!errors.success) return unintelligible(failed, 'a refusal without reasons');
  const refusals = errors.data.Errors;
  // Missing rights are refused per operation, with the status of a conflict.
  if (refusals.some(({ What }) => PERMISSION_DENIED.test(What))) {
    return { kind: 'not-done', failure: { code: 'forbidden', message: failed.message } };
  }
  return {
    kind: 'refused',
    guards: [...new Set(refusals.flatMap((refusal) => write.guards[refusal.OpIndex] ?? []))],
    lockFailed: refusals.some((refusal) => isLock(write, refusal)),
    reason: refusals
      .map(({ What }) => What)
      .join('; ')
      .slice(0, REASON_LENGTH),
  };
}

const isLock = (write: StoreWrite, { OpIndex }: Refusal): boolean =>
  write.changes[OpIndex - write.guards.length]?.kind === 'lock';

const unintelligible = (failed: StoreFailure, why: string): WriteAnswer => ({
  kind: 'unknown',
  failure: { code: 'unintelligible', message: `${failed.message} (${why})` },
});
