import { escapeIdentifier, escapeLiteral } from 'pg';
import { done, err, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { BootstrapSettings, Credentials, PostgresSettings } from '../../core/settings.ts';
import { formatConninfo, writePassfile } from './conninfo.ts';
import type { Context } from './context.ts';
import { messageOf } from './thrown.ts';
import { localEndpoint, socketEndpoint, toFailure } from './local-session.ts';
import { runOperatorCommand } from './operator-command.ts';
import { scramVerifier } from './scram.ts';
import { SqlConnection } from './sql-connection.ts';
import type { SqlFault } from './sql-connection.ts';
import { succeeded } from './subprocess.ts';
import { toolFailed } from './tool-failure.ts';

const STATEMENT_TIMEOUT_MILLIS = 30_000;
const CONNECT_TIMEOUT_MILLIS = 10_000;

/** Nothing of this session may reach a log or a statistics view: passwords are in its statements. */
const SILENCE = [
  "SET log_statement = 'none'",
  'SET log_min_duration_statement = -1',
  'SET log_min_duration_sample = -1',
  "SET log_min_error_statement = 'panic'",
  "SET password_encryption = 'scram-sha-256'",
  "SET synchronous_commit = 'local'",
  'SET default_transaction_read_only = off',
  `SELECT pg_catalog.set_config(name, CASE name WHEN 'pgaudit.log' THEN 'none' ELSE 'off' END, false)
     FROM pg_catalog.pg_settings
     WHERE name IN ('pgaudit.log', 'pg_stat_statements.track_utility')`,
];

/** What pg_rewind calls on the source. Source: documentation, "pg_rewind", Notes. */
const REWIND_FUNCTIONS = [
  'pg_ls_dir(text, boolean, boolean)',
  'pg_stat_file(text, boolean)',
  'pg_read_binary_file(text)',
  'pg_read_binary_file(text, bigint, bigint, boolean)',
];

/** Makes or alters the role; without a configured password the one it has is left alone. */
export function roleStatement(
  credentials: Credentials,
  attributes: string,
  exists: boolean,
): string {
  const { username, password } = credentials;
  const secret = password?.reveal() ?? '';
  const verifier = secret === '' ? undefined : (scramVerifier(secret) ?? secret);
  const clause = verifier === undefined ? '' : ` PASSWORD ${escapeLiteral(verifier)}`;
  const verb = exists ? 'ALTER' : 'CREATE';
  return `${verb} ROLE ${escapeIdentifier(username)} WITH ${attributes}${clause}`;
}

/** Each role once, though one may serve two purposes. */
function wantedRoles(
  settings: PostgresSettings,
): readonly { readonly credentials: Credentials; readonly attributes: string }[] {
  const { superuser, replication, rewind } = settings;
  const roles = new Map<string, { credentials: Credentials; attributes: string }>();
  roles.set(rewind.username, { credentials: rewind, attributes: 'LOGIN' });
  roles.set(replication.username, { credentials: replication, attributes: 'LOGIN REPLICATION' });
  roles.set(superuser.username, { credentials: superuser, attributes: 'LOGIN SUPERUSER' });
  return [...roles.values()];
}

async function runAll(
  connection: SqlConnection,
  statements: readonly string[],
): Promise<Result<void, SqlFault>> {
  for (const statement of statements) {
    const answer = await connection.query(statement, [], STATEMENT_TIMEOUT_MILLIS);
    if (!answer.ok) return answer;
  }
  return done;
}

async function makeRoles(
  connection: SqlConnection,
  settings: PostgresSettings,
): Promise<Result<void, SqlFault>> {
  const silent = await runAll(connection, SILENCE);
  if (!silent.ok) return silent;
  for (const { credentials, attributes } of wantedRoles(settings)) {
    const found = await connection.query(
      'SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1',
      [credentials.username],
      STATEMENT_TIMEOUT_MILLIS,
    );
    if (!found.ok) return found;
    const statement = roleStatement(credentials, attributes, found.value.length > 0);
    const made = await runAll(connection, [statement]);
    if (!made.ok) return made;
  }
  const { rewind, superuser } = settings;
  if (rewind.username === superuser.username) return done;
  return runAll(
    connection,
    REWIND_FUNCTIONS.map(
      (signature) =>
        `GRANT EXECUTE ON FUNCTION pg_catalog.${signature} TO ${escapeIdentifier(rewind.username)}`,
    ),
  );
}

/** The superuser's password may not be what is configured yet: then only the socket lets us in. */
async function connect(context: Context): Promise<Result<SqlConnection, SqlFault>> {
  const first = await SqlConnection.open(
    context.clock,
    await localEndpoint(context),
    CONNECT_TIMEOUT_MILLIS,
  );
  if (first.ok || !(first.error.sqlState ?? '').startsWith('28')) return first;
  const endpoint = await socketEndpoint(context);
  if (endpoint === undefined) return first;
  const second = await SqlConnection.open(context.clock, endpoint, CONNECT_TIMEOUT_MILLIS);
  return second.ok ? second : first;
}

async function runPostBootstrap(
  context: Context,
  command: string,
  signal: AbortSignal,
): Promise<Result<void>> {
  const passfile = await writePassfile(context);
  const endpoint = await localEndpoint(context);
  const conninfo = formatConninfo({
    host: endpoint.host,
    port: String(endpoint.port),
    user: endpoint.credentials.username,
    dbname: endpoint.database,
  });
  const outcome = await runOperatorCommand(context, {
    command,
    args: [conninfo],
    env: {
      PGPASSFILE: passfile,
      PGOPTIONS: '-c synchronous_commit=local -c statement_timeout=0',
    },
    timeoutMillis: undefined,
    signal,
  });
  if (succeeded(outcome)) return done;
  const remedy = 'Run bootstrap.post_bootstrap by hand with the connection string of this member.';
  return toolFailed('post_bootstrap', outcome, 'postgres-post-bootstrap-failed', remedy);
}

/** Roles with their passwords, then the operator's command: on the primary of a new cluster. May be repeated. */
export async function finishBootstrap(
  context: Context,
  bootstrap: BootstrapSettings,
  signal: AbortSignal,
): Promise<Result<void>> {
  try {
    const connection = await connect(context);
    if (!connection.ok) {
      return err(toFailure('postgres-roles-not-made', 'login as superuser', connection.error));
    }
    const made = await makeRoles(connection.value, context.settings());
    await connection.value.close();
    if (!made.ok) {
      return err(toFailure('postgres-roles-not-made', 'roles of the cluster', made.error));
    }
    if (bootstrap.postBootstrap === undefined) return done;
    return await runPostBootstrap(context, bootstrap.postBootstrap, signal);
  } catch (error) {
    return fail('postgres-roles-not-made', messageOf(error));
  }
}
