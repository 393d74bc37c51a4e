import { z } from 'zod';
import { formatLsn } from '../../core/lsn.ts';
import { lsnInteger, lsnText } from './values.ts';
import type { JsonWritable } from './json-text.ts';

interface SyncSeen {
  readonly n: number;
  readonly version: number;
}

const orUndefined = <T>(value: T | null): T | undefined => value ?? undefined;

/** `GET /peer`. Decodes to the port's PeerReport. Times are durations: clocks of two hosts differ. */
export const peerDocument = z
  .object({
    scope: z.string(),
    name: z.string(),
    incarnation: z.string(),
    system_identifier: z.string().nullable(),
    postgres: z.object({
      state: z.string(),
      role: z.enum(['primary', 'standby', 'unknown']),
      timeline: z.number().int().nullable(),
      lsn: lsnText.nullable(),
      lsn_age_ms: z.number().nonnegative().nullish(),
    }),
    highest_generation: z.object({ n: z.number().int(), id: z.string().nullable() }),
    sync_seen: z.object({ n: z.number().int(), version: z.number().int() }).nullish(),
    newest_beat: z.object({ id: z.string(), beat: z.number().int() }).nullable(),
    holds_lease: z.object({ id: z.string(), n: z.number().int(), left_ms: z.number() }).nullable(),
    can_take_over: z.object({ able: z.boolean(), why: z.string() }),
    promise_free_ms: z.number().nonnegative().nullish(),
    store_seen_ms: z.number().nullable(),
  })
  .transform((wire) => ({
    scope: wire.scope,
    name: wire.name,
    incarnation: wire.incarnation,
    systemIdentifier: orUndefined(wire.system_identifier),
    postgres: {
      state: wire.postgres.state,
      role: wire.postgres.role,
      timeline: orUndefined(wire.postgres.timeline),
      lsn: orUndefined(wire.postgres.lsn),
      ...(typeof wire.postgres.lsn_age_ms === 'number'
        ? { lsnAgeMillis: orUndefined<number>(wire.postgres.lsn_age_ms) }
        : {}),
    },
    highestGeneration: {
      n: wire.highest_generation.n,
      id: orUndefined(wire.highest_generation.id),
    },
    ...(wire.sync_seen ? { syncSeen: orUndefined<SyncSeen>(wire.sync_seen) } : {}),
    newestBeat: orUndefined(wire.newest_beat),
    holdsLease:
      wire.holds_lease === null
        ? undefined
        : {
            id: wire.holds_lease.id,
            n: wire.holds_lease.n,
            leftMillis: wire.holds_lease.left_ms,
          },
    canTakeOver: wire.can_take_over,
    promiseFreeMillis: wire.promise_free_ms ?? undefined,
    storeSeenMillis: orUndefined(wire.store_seen_ms),
  }));
export type DecodedPeerReport = Readonly<z.output<typeof peerDocument>>;

export function encodePeerReport(report: DecodedPeerReport): JsonWritable {
  const { postgres, holdsLease } = report;
  return {
    scope: report.scope,
    name: report.name,
    incarnation: report.incarnation,
    system_identifier: report.systemIdentifier ?? null,
    postgres: {
      state: postgres.state,
      role: postgres.role,
      timeline: postgres.timeline ?? null,
      lsn: postgres.lsn === undefined ? null : formatLsn(postgres.lsn),
      lsn_age_ms: postgres.lsnAgeMillis ?? null,
    },
    highest_generation: {
      n: report.highestGeneration.n,
      id: report.highestGeneration.id ?? null,
    },
    sync_seen: report.syncSeen === undefined ? null : { ...report.syncSeen },
    newest_beat: report.newestBeat ?? null,
    holds_lease:
      holdsLease === undefined
        ? null
        : { id: holdsLease.id, n: holdsLease.n, left_ms: holdsLease.leftMillis },
    can_take_over: report.canTakeOver,
    promise_free_ms: report.promiseFreeMillis ?? null,
    store_seen_ms: report.storeSeenMillis ?? null,
  };
}

/**
 * `POST /failsafe`: asks for the promise not to take over. name, conn_url, api_url and slots are
 * Patroni's; the rest is what makes a promise binding. Decodes to the port's PromiseRequest.
 */
export const promiseBody = z
  .object({
    scope: z.string(),
    name: z.string().min(1),
    lease_id: z.string().min(1),
    n: z.number().int().nonnegative(),
    timeline: z.number().int().nonnegative().default(0),
    ttl_ms: z.number().positive().max(3_600_000),
    reach_ms: z.number().positive().max(3_600_000).nullish(),
    request: z.number().int().nonnegative(),
    conn_url: z.string(),
    api_url: z.string(),
    slots: z.record(z.string(), lsnInteger).nullish(),
  })
  .transform((wire) => ({
    scope: wire.scope,
    name: wire.name,
    leaseId: wire.lease_id,
    n: wire.n,
    timeline: wire.timeline,
    ttlMillis: wire.ttl_ms,
    reachMillis: wire.reach_ms ?? wire.ttl_ms,
    request: wire.request,
    connUrl: wire.conn_url,
    apiUrl: wire.api_url,
    slots: wire.slots ?? {},
  }));
export type DecodedPromiseRequest = Readonly<z.output<typeof promiseBody>>;

export function encodePromiseRequest(request: DecodedPromiseRequest): JsonWritable {
  return {
    scope: request.scope,
    name: request.name,
    lease_id: request.leaseId,
    n: request.n,
    timeline: request.timeline,
    ttl_ms: request.ttlMillis,
    reach_ms: request.reachMillis,
    request: request.request,
    conn_url: request.connUrl,
    api_url: request.apiUrl,
    slots: request.slots,
  };
}

/**
 * Answer to `POST /failsafe`. Both kinds name scope and member, so that an answer of somebody else
 * at a reused address counts for nothing.
 */
export const promiseDocument = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('promised'),
    scope: z.string(),
    name: z.string(),
    incarnation: z.string(),
    lease_id: z.string(),
    request: z.number().int(),
    seen_lease_id: z.string().nullable(),
    store_silent: z.boolean().default(false),
  }),
  z.object({
    kind: z.literal('refused'),
    scope: z.string(),
    name: z.string(),
    why: z.string(),
  }),
]);

/** `DELETE /failsafe`: the promise given for this lease is void. */
export const withdrawBody = z.object({ scope: z.string(), lease_id: z.string().min(1) });
/** Answer of the member that took the withdrawal. */
export const withdrawDocument = z.object({ scope: z.string(), name: z.string() });
