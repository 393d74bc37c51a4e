import { z } from 'zod';
import { jsonObject, lsnInteger } from './values.ts';

/** `GET /patroni` and the body of every health check. With Postgres unreachable only state, role and flags remain. */
export const statusDocument = z.looseObject({
  state: z.string(),
  role: z.string(),
  postmaster_start_time: z.string().optional(),
  server_version: z.number().int().optional(),
  xlog: z
    .union([
      z.object({ location: lsnInteger }),
      z.object({
        received_location: lsnInteger.nullable(),
        replayed_location: lsnInteger.nullable(),
        replayed_timestamp: z.string().nullable(),
        paused: z.boolean(),
      }),
    ])
    .optional(),
  timeline: z.number().int().optional(),
  /** At most one of the two, and only when true. */
  sync_standby: z.boolean().optional(),
  quorum_standby: z.boolean().optional(),
  replication_state: z.string().optional(),
  replication: z
    .array(
      z.object({
        usename: z.string(),
        application_name: z.string(),
        client_addr: z.string().nullable(),
        state: z.string(),
        sync_state: z.string(),
        sync_priority: z.number().int(),
      }),
    )
    .optional(),
  pause: z.boolean().optional(),
  cluster_unlocked: z.boolean().optional(),
  failsafe_mode_is_active: z.boolean().optional(),
  dcs_last_seen: z.number().optional(),
  tags: jsonObject.optional(),
  database_system_identifier: z.string().optional(),
  pending_restart: z.boolean().optional(),
  pending_restart_reason: jsonObject.optional(),
  patroni: z.object({ version: z.string(), scope: z.string(), name: z.string() }),
  pgbaton: z
    .looseObject({
      incarnation: z.string(),
      holds_lease: z.boolean(),
      accepts_writes: z.boolean(),
      generation: z.object({ n: z.number().int(), id: z.string() }).nullable(),
      lease_left_ms: z.number().nullable(),
      /** Whether commits wait for the lease to be renewed, or Postgres stands still for it. */
      commit_brake: z.enum(['off', 'held', 'frozen']).optional(),
      /** Rule that holds this member where it is, and what it says. */
      rule: z.string(),
      why: z.string(),
      guardian: z.enum(['absent', 'idle', 'armed']),
      /** Age of what Postgres said, and of what Consul said; null: nothing yet. */
      postgres_seen_ms: z.number().nullable(),
      store_seen_ms: z.number().nullable(),
      job: z
        .object({ kind: z.string(), for_ms: z.number(), progress: z.string().nullable() })
        .nullable(),
    })
    .optional(),
});
export type StatusDocument = z.infer<typeof statusDocument>;

/** `GET /explain`: the last decision. */
export const explainDocument = z.object({
  name: z.string(),
  rule: z.string(),
  rule_name: z.string(),
  why: z.string(),
  waits_for: z.array(z.string()),
  since_ms: z.number(),
  /** Key `sync` as last read: who may lead without loss. Null: asynchronous, as asked for. */
  synchronous: z
    .object({
      /** As asked for; what is promised is what the rest says. */
      mode: z.enum(['off', 'on', 'quorum']),
      leader: z.string().nullable(),
      standbys: z.array(z.string()),
      /** Votes beside the candidate's own that a promotion needs. */
      quorum: z.number().int(),
    })
    .nullish(),
  candidates: z.array(
    z.object({
      name: z.string(),
      eligible: z.boolean(),
      why: z.string(),
      /** `X/Y` */
      lsn: z.string().nullable(),
      timeline: z.number().int().nullable(),
    }),
  ),
});
export type ExplainDocument = z.infer<typeof explainDocument>;
