import { join } from 'node:path';
import { formatLsn, lsn, parseLsn } from '../../core/lsn.ts';
import type { Lsn } from '../../core/lsn.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { TimelineSwitch, Upstream } from '../../core/postgres.ts';
import type { Millis } from '../../core/time.ts';
import { parseHistory } from '../../core/timeline.ts';
import type { SourceHistory } from '../../ports/postgres.ts';
import { parseHistoryRow, parseIdentityRow } from '../../wire/postgres/replication-rows.ts';
import type { SystemIdentity } from '../../wire/postgres/replication-rows.ts';
import { historyFileName } from '../../wire/postgres/wal-dump.ts';
import type { Context } from './context.ts';
import { readIfExists } from './durable-files.ts';
import { readControlFile } from './inspect.ts';
import { toFailure, withConnection } from './local-session.ts';
import type { Endpoint, SqlConnection, SqlFault } from './sql-connection.ts';

const unintelligible = (what: string): SqlFault => ({
  kind: 'refused',
  sqlState: undefined,
  message: `unintelligible answer to ${what}`,
});

async function identify(
  connection: SqlConnection,
  timeoutMillis: Millis,
): Promise<Result<SystemIdentity, SqlFault>> {
  const answer = await connection.query('IDENTIFY_SYSTEM', [], timeoutMillis);
  if (!answer.ok) return answer;
  const identity = parseIdentityRow(answer.value[0]);
  return identity === undefined ? err(unintelligible('IDENTIFY_SYSTEM')) : ok(identity);
}

/** System identifier and timeline, as the replication protocol tells them. */
export function identifySystem(
  context: Context,
  endpoint: Endpoint,
  timeoutMillis: Millis,
): Promise<Result<SystemIdentity, SqlFault>> {
  return withConnection(context, { ...endpoint, replication: true }, timeoutMillis, (connection) =>
    identify(connection, timeoutMillis),
  );
}

export const replicationEndpoint = (context: Context, source: Upstream): Endpoint => ({
  host: source.host,
  port: source.port,
  database: context.settings().database,
  credentials: context.settings().replication,
  replication: true,
});

/** Identity and timeline history of a running server, by IDENTIFY_SYSTEM and TIMELINE_HISTORY. */
export async function readSourceHistory(
  context: Context,
  source: Upstream,
  timeoutMillis: Millis,
): Promise<Result<SourceHistory>> {
  const endpoint = replicationEndpoint(context, source);
  const answer = await withConnection(context, endpoint, timeoutMillis, async (connection) => {
    const identity = await identify(connection, timeoutMillis);
    if (!identity.ok) return identity;
    const { timeline, systemIdentifier } = identity.value;
    if (timeline === 1) return ok({ systemIdentifier, timeline, switches: [] });
    const rows = await connection.query(`TIMELINE_HISTORY ${timeline}`, [], timeoutMillis);
    if (!rows.ok) return rows;
    const text = parseHistoryRow(rows.value[0]);
    if (text === undefined) return err(unintelligible('TIMELINE_HISTORY'));
    return ok({ systemIdentifier, timeline, switches: parseHistory(text, parseLsn) });
  });
  return answer.ok
    ? answer
    : err(toFailure('postgres-source-unanswered', `history of ${source.name}`, answer.error));
}

/** WAL that was asked for is not there any more. */
const UNDEFINED_FILE = '58P01';
const QUIET_MILLIS = 500;

/**
 * Whether the source can stream from there on. Asked for from the beginning of the segment, as a
 * standby does; errors other than "removed" leave it unknown.
 */
export async function walAvailable(
  context: Context,
  source: Upstream,
  timeline: number,
  from: Lsn,
  timeoutMillis: Millis,
): Promise<'yes' | 'no' | 'unknown'> {
  const file = await readControlFile(context, context.settings().dataDir);
  if (!file.ok) return 'unknown';
  const segment = BigInt(file.value.walSegmentBytes);
  const begin = formatLsn(lsn((from / segment) * segment));
  const endpoint = replicationEndpoint(context, source);
  const answer = await withConnection(context, endpoint, timeoutMillis, (connection) =>
    connection.startReplication(
      `START_REPLICATION PHYSICAL ${begin} TIMELINE ${timeline}`,
      timeoutMillis,
      QUIET_MILLIS,
    ),
  );
  if (answer.ok) return 'yes';
  return answer.error.sqlState === UNDEFINED_FILE ? 'no' : 'unknown';
}

/** Undefined when the file is not there, unlike a timeline that has no ancestors. */
export async function readHistoryFile(
  dataDir: string,
  timeline: number,
): Promise<readonly TimelineSwitch[] | undefined> {
  if (timeline === 1) return [];
  const text = await readIfExists(join(dataDir, 'pg_wal', historyFileName(timeline))).catch(
    () => undefined,
  );
  return text === undefined ? undefined : parseHistory(text, parseLsn);
}
