import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';
import { done, err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Secret } from '../../core/secret.ts';
import type { Credentials } from '../../core/settings.ts';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import { errnoOf, messageOf } from './thrown.ts';

/** Why a request has no answer. */
export interface SqlFault {
  /** `refused`: the server answered with an error; the others: nobody answered in time, or at all. */
  readonly kind: 'refused' | 'timed-out' | 'unreachable';
  /** SQLSTATE, with `refused`. */
  readonly sqlState: string | undefined;
  readonly message: string;
}

export interface Endpoint {
  /** A host name, an address, or a directory with a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly credentials: Credentials;
  /** A walsender, which understands replication commands only. */
  readonly replication?: boolean;
}

const KEEPALIVE_MILLIS = 10_000;
const CLOSE_MILLIS = 200;
/** A backend that outlives its client's patience ends by itself. */
const STATEMENT_TIMEOUT_MILLIS = 60_000;
/** Views over functions are taken for large: compiling their plans would cost more than running them. */
const SESSION_OPTIONS = '-c jit=off -c max_parallel_workers_per_gather=0';
const NO_HBA_ENTRY = '28000';

const UNREACHABLE_STATES = /^(?:08|57P0[12])/;

function faultOf(error: unknown): SqlFault {
  const code = errnoOf(error);
  const message = messageOf(error);
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) {
    return { kind: 'unreachable', sqlState: undefined, message };
  }
  // Errors of the system are also five letters now and then (EPIPE): SQLSTATEs hold a digit.
  if (!/\d/.test(code)) return { kind: 'unreachable', sqlState: undefined, message };
  const kind = UNREACHABLE_STATES.test(code) ? 'unreachable' : 'refused';
  return { kind, sqlState: code, message };
}

/** libpq's sslmode and files, as Node's TLS options; `false` for no TLS. */
async function tlsOptions(
  options: Readonly<Record<string, string>>,
  encrypt: boolean,
): Promise<false | ConnectionOptions> {
  const mode = options['sslmode'] ?? 'prefer';
  const verifies = mode === 'verify-ca' || mode === 'verify-full';
  if (!encrypt && !verifies && mode !== 'require') return false;
  const { sslrootcert, sslcert, sslkey, sslpassword } = options;
  const read = async (path: string | undefined): Promise<Buffer | undefined> =>
    path === undefined || path === 'system' ? undefined : readFile(path);
  const [ca, cert, key] = await Promise.all([read(sslrootcert), read(sslcert), read(sslkey)]);
  return {
    rejectUnauthorized: verifies,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(sslpassword === undefined ? {} : { passphrase: sslpassword }),
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

const revealed = (secret: Secret | undefined): string => secret?.reveal() ?? '';

/**
 * One connection with a deadline on each step. The socket is ours: past a deadline it is destroyed,
 * since a stopped server answers nothing, not even a goodbye.
 */
export class SqlConnection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #broken: SqlFault | undefined;

  private constructor(client: Client, socket: Socket, clock: Clock) {
    this.#client = client;
    this.#socket = socket;
    this.#clock = clock;
    client.on('error', (error) => {
      this.#broken ??= faultOf(error);
    });
    client.on('end', () => {
      this.#broken ??= { kind: 'unreachable', sqlState: undefined, message: 'connection ended' };
    });
  }

  /** With sslmode `prefer` a second attempt is made, encrypted, where the server asks for it. */
  static async open(
    clock: Clock,
    endpoint: Endpoint,
    timeoutMillis: Millis,
  ): Promise<Result<SqlConnection, SqlFault>> {
    const first = await SqlConnection.#attempt(clock, endpoint, timeoutMillis, false);
    if (first.ok || first.error.sqlState !== NO_HBA_ENTRY || endpoint.host.startsWith('/')) {
      return first;
    }
    const mode = endpoint.credentials.options['sslmode'] ?? 'prefer';
    if (mode !== 'prefer' && mode !== 'allow') return first;
    const second = await SqlConnection.#attempt(clock, endpoint, timeoutMillis, true);
    // What the server said to the better attempt; that it cannot encrypt says nothing.
    return second.ok || second.error.kind === 'refused' ? second : first;
  }

  static async #attempt(
    clock: Clock,
    endpoint: Endpoint,
    timeoutMillis: Millis,
    encrypt: boolean,
  ): Promise<Result<SqlConnection, SqlFault>> {
    const { credentials } = endpoint;
    const socket = new Socket();
    try {
      const local = endpoint.host.startsWith('/');
      const config: ClientConfig & { replication?: string } = {
        host: endpoint.host,
        port: endpoint.port,
        database: endpoint.database,
        user: credentials.username,
        // A function, so that libpq's environment and the user's .pgpass are never looked at.
        password: () => revealed(credentials.password),
        ssl: local ? false : await tlsOptions(credentials.options, encrypt),
        stream: () => socket,
        application_name: 'pgbaton',
        keepAlive: true,
        keepAliveInitialDelayMillis: KEEPALIVE_MILLIS,
        ...(endpoint.replication === true
          ? { replication: 'true' }
          : { statement_timeout: STATEMENT_TIMEOUT_MILLIS, options: SESSION_OPTIONS }),
      };
      const client = new Client(config);
      const connection = new SqlConnection(client, socket, clock);
      const connected = await connection.#within(timeoutMillis, () => client.connect());
      if (!connected.ok) {
        connection.abandon();
        return connected;
      }
      return ok(connection);
    } catch (error) {
      socket.destroy();
      return err(faultOf(error));
    }
  }

  get broken(): SqlFault | undefined {
    return this.#broken;
  }

  /** Rows of one statement; a named one is planned once. Never to be called while another runs. */
  async query(
    statement: string | { readonly name: string; readonly text: string },
    values: readonly unknown[],
    timeoutMillis: Millis,
  ): Promise<Result<readonly unknown[], SqlFault>> {
    if (this.#broken !== undefined) return err(this.#broken);
    const request = typeof statement === 'string' ? { text: statement } : { ...statement };
    const answer = await this.#within(timeoutMillis, () =>
      // Without values it goes as a simple query, the only kind that a walsender takes.
      this.#client.query(values.length === 0 ? request : { ...request, values: [...values] }),
    );
    if (!answer.ok) return answer;
    const rows: readonly unknown[] = answer.value.rows;
    return ok(rows);
  }

  /**
   * Starts streaming WAL and waits for the first of it. `quiet`: streaming began, and nothing came
   * for that long, as at the end of the log. The connection is of no further use.
   */
  async startReplication(
    statement: string,
    timeoutMillis: Millis,
    quietMillis: Millis,
  ): Promise<Result<'data' | 'quiet', SqlFault>> {
    let cancelQuiet = (): void => undefined;
    const answer = await this.#within(
      timeoutMillis,
      () =>
        new Promise<'data' | 'quiet'>((resolve, reject) => {
          const { connection } = this.#client;
          connection.once('copyData', () => resolve('data'));
          connection.once('replicationStart', () => {
            cancelQuiet = this.#clock.timer(quietMillis, () => resolve('quiet'));
          });
          this.#client.query(statement).then(() => resolve('quiet'), reject);
        }),
    );
    cancelQuiet();
    this.abandon();
    return answer;
  }

  async #within<T>(timeoutMillis: Millis, work: () => Promise<T>): Promise<Result<T, SqlFault>> {
    let cancel = (): void => undefined;
    const deadline = new Promise<Result<T, SqlFault>>((resolve) => {
      cancel = this.#clock.timer(timeoutMillis, () => {
        const message = `no answer within ${timeoutMillis} ms`;
        this.#broken ??= { kind: 'timed-out', sqlState: undefined, message };
        resolve(err({ kind: 'timed-out', sqlState: undefined, message }));
        this.abandon();
      });
    });
    const outcome = work().then(
      (value): Result<T, SqlFault> => ok(value),
      (error: unknown): Result<T, SqlFault> => {
        const fault = faultOf(error);
        if (fault.kind === 'unreachable') this.#broken ??= fault;
        return err(fault);
      },
    );
    try {
      return await Promise.race([outcome, deadline]);
    } finally {
      cancel();
    }
  }

  /** Drops the connection at once. */
  abandon(): void {
    this.#broken ??= { kind: 'unreachable', sqlState: undefined, message: 'connection dropped' };
    this.#socket.destroy();
  }

  /** Says goodbye, for at most a moment. */
  async close(): Promise<void> {
    if (this.#broken === undefined) {
      await this.#within(CLOSE_MILLIS, () => this.#client.end()).then(() => done);
    }
    this.abandon();
  }
}
