import { err, failure, ok } from '../../core/result.ts';
import type { Failure, Result } from '../../core/result.ts';
import { since } from '../../core/time.ts';
import type { Millis } from '../../core/time.ts';
import { localAddress } from './conninfo.ts';
import type { Context } from './context.ts';
import { firstSocketDirectory } from './socket-directory.ts';
import { SqlConnection } from './sql-connection.ts';
import type { Endpoint, SqlFault } from './sql-connection.ts';

/** How this agent reaches its own server as superuser. */
export async function localEndpoint(context: Context): Promise<Endpoint> {
  const settings = context.settings();
  const socket = settings.useUnixSocket || settings.superuser.password === undefined;
  const directory = socket ? await firstSocketDirectory(context) : undefined;
  return {
    host: directory ?? localAddress(settings.listenAddresses),
    port: settings.port,
    database: settings.database,
    credentials: settings.superuser,
  };
}

/** The other way in, for a server whose passwords are not set yet. */
export async function socketEndpoint(context: Context): Promise<Endpoint | undefined> {
  const host = await firstSocketDirectory(context);
  return host === undefined ? undefined : { ...(await localEndpoint(context)), host };
}

export const toFailure = (code: string, what: string, fault: SqlFault): Failure =>
  failure(
    code,
    `${what}: ${fault.message}${fault.sqlState === undefined ? '' : ` (${fault.sqlState})`}`,
    fault.sqlState === '28P01' || fault.sqlState === '28000'
      ? 'Check postgresql.authentication against the roles in the database, and pg_hba.conf.'
      : undefined,
  );

/** Runs statements on a connection of their own, closed afterwards. */
export async function withConnection<T>(
  context: Context,
  endpoint: Endpoint,
  timeoutMillis: Millis,
  work: (connection: SqlConnection) => Promise<Result<T, SqlFault>>,
): Promise<Result<T, SqlFault>> {
  const opened = await SqlConnection.open(context.clock, endpoint, timeoutMillis);
  if (!opened.ok) return opened;
  try {
    return await work(opened.value);
  } finally {
    await opened.value.close();
  }
}

/**
 * The connection kept to the own server: probes and short commands go through it one at a time.
 * Broken by the end of the server, a deadline or new settings, it is opened again by the next use.
 */
export class LocalSession {
  readonly #context: Context;
  #connection: SqlConnection | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(context: Context) {
    this.#context = context;
  }

  /** `timeoutMillis` counts from the call, waiting for an earlier use included. */
  async use<T>(
    timeoutMillis: Millis,
    work: (connection: SqlConnection, leftMillis: () => Millis) => Promise<Result<T, SqlFault>>,
  ): Promise<Result<T, SqlFault>> {
    const startedAt = this.#context.clock.now();
    const left = (): Millis => timeoutMillis - since(startedAt, this.#context.clock.now());
    const mine = this.#tail.then(async (): Promise<Result<T, SqlFault>> => {
      // The connection is in order; it was others that took too long.
      if (left() <= 0) {
        const message = `no turn within ${timeoutMillis} ms`;
        return err({ kind: 'timed-out', sqlState: undefined, message });
      }
      const opened = await this.#open(left());
      if (!opened.ok) return opened;
      return work(opened.value, left);
    });
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #open(timeoutMillis: Millis): Promise<Result<SqlConnection, SqlFault>> {
    if (this.#connection !== undefined && this.#connection.broken === undefined) {
      return ok(this.#connection);
    }
    this.#connection?.abandon();
    this.#connection = undefined;
    const endpoint = await localEndpoint(this.#context);
    const opened = await SqlConnection.open(this.#context.clock, endpoint, timeoutMillis);
    if (!opened.ok) return err(opened.error);
    this.#connection = opened.value;
    return opened;
  }

  /** The next use connects anew. */
  reset(): void {
    this.#connection?.abandon();
    this.#connection = undefined;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }
}
