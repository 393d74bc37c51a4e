import { done, err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Upstream } from '../../core/postgres.ts';
import type { Millis } from '../../core/time.ts';
import { parseSlots } from '../../wire/postgres/slot-rows.ts';
import type { ReplicationSlotRow } from '../../wire/postgres/slot-rows.ts';
import type { Context } from './context.ts';
import { replicationEndpoint } from './history.ts';
import type { LocalSession } from './local-session.ts';
import { toFailure, withConnection } from './local-session.ts';
import type { SqlConnection, SqlFault } from './sql-connection.ts';

const SLOTS_TIMEOUT_MILLIS = 5000;
const ALREADY_THERE = '42710';
const UNDEFINED_OBJECT = '42704';
const IN_USE = '55006';

const LIST = `SELECT slot_name, slot_type, active, restart_lsn::text, wal_status
  FROM pg_catalog.pg_replication_slots`;

/** Errors that mean: another was quicker, or it is being used. */
const harmless = (fault: SqlFault): boolean =>
  [ALREADY_THERE, UNDEFINED_OBJECT, IN_USE].includes(fault.sqlState ?? '');

const CREATE = 'SELECT pg_catalog.pg_create_physical_replication_slot($1, true)';
const DROP = 'SELECT pg_catalog.pg_drop_replication_slot($1)';

interface Work {
  readonly context: Context;
  readonly connection: SqlConnection;
  readonly leftMillis: () => Millis;
}

async function change(
  work: Work,
  what: 'created' | 'dropped',
  name: string,
): Promise<Result<void, SqlFault>> {
  const statement = what === 'created' ? CREATE : DROP;
  const answer = await work.connection.query(statement, [name], work.leftMillis());
  if (answer.ok) work.context.logger.log('info', `replication slot ${what}`, { slot: name });
  return answer.ok || harmless(answer.error) ? done : answer;
}

/** Free to be dropped: nobody uses it, and it is not a logical one. */
const isIdle = (slot: ReplicationSlotRow): boolean => !slot.active && slot.slot_type === 'physical';

/** Never held WAL, or lost it. */
const isUseless = (slot: ReplicationSlotRow): boolean =>
  slot.restart_lsn === null || slot.wal_status === 'lost';

async function ensure(
  work: Work,
  name: string,
  slot: ReplicationSlotRow | undefined,
): Promise<Result<void, SqlFault>> {
  if (slot === undefined) return change(work, 'created', name);
  if (!isIdle(slot) || !isUseless(slot)) return done;
  const dropped = await change(work, 'dropped', name);
  return dropped.ok ? change(work, 'created', name) : dropped;
}

/**
 * Makes `wanted` exist as physical slots that hold WAL, and drops those of `mayDrop` that nobody
 * wants or uses. A slot that never held WAL, or whose WAL is lost, is made anew. A logical slot or
 * one in use is never touched.
 */
export async function reconcileSlots(
  context: Context,
  session: LocalSession,
  wanted: readonly string[],
  mayDrop: readonly string[],
): Promise<Result<void>> {
  const answer = await session.use(SLOTS_TIMEOUT_MILLIS, async (connection, leftMillis) => {
    const work = { context, connection, leftMillis };
    const rows = await connection.query(LIST, [], leftMillis());
    if (!rows.ok) return rows;
    const slots = parseSlots(rows.value);
    for (const name of wanted) {
      const ensured = await ensure(
        work,
        name,
        slots.find((slot) => slot.slot_name === name),
      );
      if (!ensured.ok) return ensured;
    }
    const surplus = slots.filter(
      (slot) =>
        isIdle(slot) && mayDrop.includes(slot.slot_name) && !wanted.includes(slot.slot_name),
    );
    for (const slot of surplus) {
      const dropped = await change(work, 'dropped', slot.slot_name);
      if (!dropped.ok) return dropped;
    }
    return done;
  });
  return answer.ok
    ? done
    : err(toFailure('postgres-slots-not-reconciled', 'replication slots', answer.error));
}

/** Makes the slot on the source before a clone, so that no WAL is missing after it. */
export async function createSlotOn(
  context: Context,
  source: Upstream,
  name: string,
): Promise<Result<void>> {
  const endpoint = replicationEndpoint(context, source);
  const answer = await withConnection(
    context,
    endpoint,
    SLOTS_TIMEOUT_MILLIS,
    async (connection) => {
      const quoted = `"${name.replace(/"/g, '""')}"`;
      const made = await connection.query(
        `CREATE_REPLICATION_SLOT ${quoted} PHYSICAL RESERVE_WAL`,
        [],
        SLOTS_TIMEOUT_MILLIS,
      );
      return made.ok || made.error.sqlState === ALREADY_THERE ? ok(undefined) : made;
    },
  );
  return answer.ok
    ? done
    : err(toFailure('postgres-slot-not-created', `slot ${name} on ${source.name}`, answer.error));
}
