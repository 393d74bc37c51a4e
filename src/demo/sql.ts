import { Socket } from 'node:net';
import { Client } from 'pg';
import type { Secret } from '../core/secret.ts';
import type { Millis } from '../core/time.ts';

export interface SqlTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly applicationName: string;
}

export interface SqlTimeouts {
  readonly connectMillis: Millis;
  /** For one statement, on both sides of the wire. */
  readonly statementMillis: Millis;
}

export type SqlRow = Readonly<Record<string, unknown>>;

/** One connection to a server that may end, freeze or vanish at any moment. */
export class SqlConnection {
  readonly #client: Client;
  readonly #socket: Socket;

  private constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  static async open(target: SqlTarget, timeouts: SqlTimeouts): Promise<SqlConnection> {
    const socket = new Socket();
    const client = new Client({
      host: target.host,
      port: target.port,
      user: target.user,
      password: target.password.reveal(),
      database: 'postgres',
      application_name: target.applicationName,
      connectionTimeoutMillis: timeouts.connectMillis,
      query_timeout: timeouts.statementMillis,
      statement_timeout: timeouts.statementMillis,
      keepAlive: true,
      ssl: false,
      stream: () => socket,
    });
    // Without a listener the end of a connection would end this process; every use sees it as its own error.
    client.on('error', () => undefined);
    const connection = new SqlConnection(client, socket);
    try {
      await client.connect();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Rows of one statement; a `name` keeps it prepared on the server. */
  async query(text: string, values: readonly unknown[] = [], name?: string): Promise<SqlRow[]> {
    const result = await this.#client.query<SqlRow>({
      text,
      values: [...values],
      ...(name === undefined ? {} : { name }),
    });
    return result.rows;
  }

  /** Resolves when the connection has ended, by whomever. */
  async ended(): Promise<void> {
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => {
        resolve();
      });
    });
  }

  /** At once: a frozen server is not waited for. */
  close(): void {
    this.#client.end().catch(() => undefined);
    this.#socket.destroy();
  }
}

/** One statement on a connection of its own. */
export async function queryOnce(
  target: SqlTarget,
  timeouts: SqlTimeouts,
  text: string,
  values: readonly unknown[] = [],
): Promise<SqlRow[]> {
  const connection = await SqlConnection.open(target, timeouts);
  try {
    return await connection.query(text, values);
  } finally {
    connection.close();
  }
}
