import { z } from 'zod';
import { parseLsn } from '../../core/lsn.ts';
import type { ReplicationRow, SlotRow } from '../../core/postgres.ts';

const lsnText = z
  .string()
  .nullable()
  .transform((text) => (text === null ? undefined : parseLsn(text)));
const optionalText = z
  .string()
  .nullable()
  .transform((text) => text ?? undefined);

const replicationRow = z
  .object({
    usename: optionalText,
    application_name: optionalText,
    client_addr: optionalText,
    state: optionalText,
    sync_state: optionalText,
    sync_priority: z.number().nullable(),
    sent_lsn: lsnText,
    flush_lsn: lsnText,
    replay_lsn: lsnText,
  })
  .transform((row): ReplicationRow => ({
    username: row.usename ?? '',
    applicationName: row.application_name ?? '',
    clientAddress: row.client_addr,
    state: row.state ?? 'unknown',
    syncState: row.sync_state ?? 'unknown',
    syncPriority: row.sync_priority ?? 0,
    sentLsn: row.sent_lsn,
    flushLsn: row.flush_lsn,
    replayLsn: row.replay_lsn,
  }));

const slotRow = z
  .object({
    slot_name: z.string(),
    slot_type: z.string(),
    active: z.boolean(),
    restart_lsn: lsnText,
    wal_status: optionalText,
  })
  .transform((row): SlotRow => ({
    name: row.slot_name,
    physical: row.slot_type === 'physical',
    active: row.active,
    restartLsn: row.restart_lsn,
    walStatus: row.wal_status,
  }));

const receiverRow = z.object({
  status: optionalText,
  received_tli: z.number().nullable(),
  latest_end_lsn: lsnText,
  sender_host: optionalText,
  sender_port: z.number().nullable(),
});

const parameterRow = z.object({
  name: z.string(),
  setting: z.string().nullable(),
  pending: z.boolean(),
  configured: z.string().nullable(),
});

const schema = z.object({
  in_recovery: z.boolean(),
  wal_file: optionalText,
  flush_lsn: lsnText,
  received_lsn: lsnText,
  replayed_lsn: lsnText,
  /** The startup process waits for WAL from elsewhere. */
  replayed_all: z.boolean().nullish(),
  replayed_at: z.number().nullable(),
  replay_paused: z.boolean(),
  control_timeline: z.number(),
  primary_conninfo: optionalText,
  receiver: receiverRow.nullable(),
  synchronous_standby_names: z.string(),
  replication: z.array(replicationRow),
  slots: z.array(slotRow),
  /** Asked for only now and then. */
  parameters: z.array(parameterRow).nullable(),
});

export type ProbeRow = z.infer<typeof schema>;
export type ParameterRow = z.infer<typeof parameterRow>;

const sessionSchema = z.object({
  server_version_number: z.number().int(),
  postmaster_started_at: z.string(),
  system_identifier: z.string(),
});

/** What does not change while a connection lives: it dies with its postmaster. */
export type SessionRow = z.infer<typeof sessionSchema>;

export function parseProbeRow(
  row: unknown,
): { readonly ok: true; readonly value: ProbeRow } | { readonly ok: false; readonly why: string } {
  const parsed = schema.safeParse(row);
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, why: z.prettifyError(parsed.error) };
}

export function parseSessionRow(
  row: unknown,
):
  { readonly ok: true; readonly value: SessionRow } | { readonly ok: false; readonly why: string } {
  const parsed = sessionSchema.safeParse(row);
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, why: z.prettifyError(parsed.error) };
}
