import { z } from 'zod';
import { parseLsn } from '../../core/lsn.ts';
import type { ControlData, ControlState } from '../../core/postgres.ts';

const CONTROL_STATES: readonly ControlState[] = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
];

/** Settings of the server that wrote the file: a standby refuses to serve with less than these. */
export interface ControlLimits {
  readonly max_connections: number;
  readonly max_worker_processes: number;
  readonly max_wal_senders: number;
  readonly max_prepared_transactions: number;
  readonly max_locks_per_transaction: number;
}

export interface ControlFile {
  readonly control: ControlData;
  readonly limits: ControlLimits;
  readonly walSegmentBytes: number;
  readonly walBlockBytes: number;
}

const whole = z.string().regex(/^\d+$/).transform(Number);
const position = z.string().transform((text, context) => {
  const parsed = parseLsn(text);
  if (parsed === undefined) {
    context.addIssue({ code: 'custom', message: `no WAL position: ${text}` });
    return z.NEVER;
  }
  return parsed;
});
const state = z
  .string()
  .transform(
    (text): ControlState => CONTROL_STATES.find((known) => known === text) ?? 'unrecognized',
  );

const schema = z.object({
  'Database system identifier': z.string().regex(/^\d+$/),
  'Database cluster state': state,
  "Latest checkpoint's TimeLineID": whole,
  'Latest checkpoint location': position,
  "Latest checkpoint's REDO location": position,
  'Minimum recovery ending location': position,
  "Min recovery ending loc's timeline": whole,
  'wal_log_hints setting': z.string(),
  'Data page checksum version': whole,
  'max_connections setting': whole,
  'max_worker_processes setting': whole,
  'max_wal_senders setting': whole,
  'max_prepared_xacts setting': whole,
  'max_locks_per_xact setting': whole,
  'Bytes per WAL segment': whole,
  'WAL block size': whole,
});

/**
 * Reads what `pg_controldata` of PostgreSQL 13 to 18 prints under LC_ALL=C; an explanation when it
 * is not that. Source: src/bin/pg_controldata/pg_controldata.c.
 */
export function parseControlData(
  text: string,
):
  | { readonly ok: true; readonly value: ControlFile }
  | { readonly ok: false; readonly why: string } {
  if (text.includes('CRC checksum does not match')) {
    return { ok: false, why: 'the checksum of pg_control does not match' };
  }
  const fields = Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]];
    }),
  );
  const parsed = schema.safeParse(fields);
  if (!parsed.success) return { ok: false, why: z.prettifyError(parsed.error) };
  const data = parsed.data;
  return {
    ok: true,
    value: {
      control: {
        systemIdentifier: data['Database system identifier'],
        state: data['Database cluster state'],
        timeline: data["Latest checkpoint's TimeLineID"],
        checkpointLsn: data['Latest checkpoint location'],
        redoLsn: data["Latest checkpoint's REDO location"],
        minimumRecoveryLsn: data['Minimum recovery ending location'],
        minimumRecoveryTimeline: data["Min recovery ending loc's timeline"],
        rewindable:
          data['wal_log_hints setting'] === 'on' || data['Data page checksum version'] > 0,
      },
      limits: {
        max_connections: data['max_connections setting'],
        max_worker_processes: data['max_worker_processes setting'],
        max_wal_senders: data['max_wal_senders setting'],
        max_prepared_transactions: data['max_prepared_xacts setting'],
        max_locks_per_transaction: data['max_locks_per_xact setting'],
      },
      walSegmentBytes: data['Bytes per WAL segment'],
      walBlockBytes: data['WAL block size'],
    },
  };
}
