import { z } from 'zod';
import { jsonObject, lsnInteger } from './values.ts';

/** Bytes, or `unknown` when either end is not known. */
const lag = z.union([z.number(), z.bigint(), z.literal('unknown')]);
/** `X/Y`, or `unknown`. */
const position = z.string();

const CLUSTER_ROLES = [
  'leader',
  'standby_leader',
  'sync_standby',
  'quorum_standby',
  'replica',
] as const;
export type ClusterRole = (typeof CLUSTER_ROLES)[number];

/** One member of `GET /cluster`. Positions and lags are absent for the leader. */
const clusterMember = z.looseObject({
  name: z.string(),
  role: z.enum(CLUSTER_ROLES),
  state: z.string(),
  api_url: z.string(),
  host: z.string().optional(),
  port: z.number().int().optional(),
  timeline: z.number().int().optional(),
  pending_restart: z.boolean().optional(),
  pending_restart_reason: jsonObject.optional(),
  scheduled_restart: jsonObject.optional(),
  tags: jsonObject.optional(),
  receive_lsn: position.optional(),
  receive_lag: lag.optional(),
  replay_lsn: position.optional(),
  replay_lag: lag.optional(),
  lsn: position.optional(),
  lag: lag.optional(),
});

/** `GET /cluster`, in Patroni's shape; `pgbaton` is ours. */
export const clusterDocument = z.looseObject({
  members: z.array(clusterMember),
  scope: z.string(),
  pause: z.boolean().optional(),
  scheduled_switchover: z
    .object({ at: z.string(), from: z.string().optional(), to: z.string().optional() })
    .optional(),
  pgbaton: z
    .object({
      /** Age of what is shown: more than a moment means that Consul does not answer. */
      age_ms: z.number(),
      /** Member that answered. */
      answered_by: z.string(),
      system_identifier: z.string().optional(),
      generation: z.number().int().optional(),
    })
    .optional(),
});

/** `GET /history`: `[timeline, lsn, reason, timestamp?, new_leader?]`. */
export const historyDocument = z.array(
  z.tuple([z.number().int(), lsnInteger, z.string()]).rest(z.string().nullable()),
);
