import { z } from 'zod';

const row = z.object({
  slot_name: z.string(),
  slot_type: z.string(),
  active: z.boolean(),
  restart_lsn: z.string().nullable(),
  wal_status: z.string().nullable(),
});

export type ReplicationSlotRow = z.infer<typeof row>;

/** Rows of pg_replication_slots; one that is not understood is left out, and thereby left alone. */
export const parseSlots = (rows: readonly unknown[]): readonly ReplicationSlotRow[] =>
  rows.flatMap((candidate) => {
    const parsed = row.safeParse(candidate);
    return parsed.success ? [parsed.data] : [];
  });
