import { randomUUID } from 'node:crypto';
import type { Millis } from '../../src/core/time.ts';
import { queryOnce, SqlConnection } from '../../src/demo/sql.ts';
import type { SqlTarget } from '../../src/demo/sql.ts';
import { pause, until } from '../../src/demo/wait.ts';
import type { Host } from './host.ts';
import type { Acknowledged, RowKey } from './measure.ts';

const TABLE = 'pgbaton_chaos_writes';
const CREATE = `create table if not exists ${TABLE} (
  writer text not null,
  id bigint not null,
  primary key (writer, id)
)`;
/** The timeline on which the server inserts now: it says which leadership a write was acknowledged by. */
const INSERT = `insert into ${TABLE} (writer, id) values ($1, $2)
  returning ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline`;

const WRITE_INTERVAL_MILLIS = 20;
/** A frozen server's client waits for its answer: giving up would hide what is acknowledged on waking. */
const PATIENT = { connectMillis: 1_000, statementMillis: 300_000 };
const IMPATIENT = { connectMillis: 500, statementMillis: 1_000 };
const LOOK = { connectMillis: 5_000, statementMillis: 30_000 };
const ASK_INTERVAL_MILLIS = 50;
/** What a standby says to a write, and one that has not replayed the making of the table. */
const REFUSALS: ReadonlySet<unknown> = new Set(['25006', '42P01']);

/** Inserts one row after the other into whatever its way to a server leads to. */
abstract class Writer {
  readonly name: string;
  readonly acknowledged: Acknowledged[] = [];
  #connection: { readonly sql: SqlConnection; readonly host: string } | undefined;
  #nextId = 1;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Opens a connection to the server that is to be written to, with its host's name; undefined for now. */
  protected abstract connect(): Promise<
    { readonly sql: SqlConnection; readonly host: string } | undefined
  >;

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    // Ends a statement that a frozen server will never answer.
    this.#connection?.sql.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const begunAt = performance.now();
      await this.#writeOnce();
      await pause(Math.max(1, begunAt + WRITE_INTERVAL_MILLIS - performance.now()));
    }
    this.#connection?.sql.close();
  }

  async #writeOnce(): Promise<void> {
    try {
      this.#connection ??= await this.connect();
      if (this.#connection === undefined) return;
      const { sql, host } = this.#connection;
      const id = this.#nextId;
      this.#nextId += 1;
      const sentAtMillis = performance.now();
      const [row] = await sql.query(INSERT, [this.name, id], 'write');
      const timeline = Number(row?.['timeline']);
      const atMillis = performance.now();
      this.acknowledged.push({ writer: this.name, id, host, timeline, sentAtMillis, atMillis });
    } catch (error) {
      this.onFailure((error as { code?: unknown }).code);
    }
  }

  /** A standby refuses, and the connection to it is as good as before. */
  protected onFailure(code: unknown): void {
    if (!REFUSALS.has(code)) this.disconnect();
  }

  protected disconnect(): void {
    this.#connection?.sql.close();
    this.#connection = undefined;
  }
}

/** Writes to one host's Postgres the very moment it takes writes, rightly or not, and waits for every answer. */
class HostWriter extends Writer {
  readonly #host: Host;

  constructor(host: Host) {
    super(`${host.name} ${randomUUID()}`);
    this.#host = host;
  }

  protected async connect(): Promise<{ sql: SqlConnection; host: string }> {
    return { sql: await SqlConnection.open(this.#host.sqlTarget, PATIENT), host: this.#host.name };
  }
}

/** An application: writes over the network to whoever says 200 to GET /primary, and asks anew after any error. */
class ApplicationWriter extends Writer {
  readonly #hosts: readonly Host[];

  constructor(hosts: readonly Host[]) {
    super(`application ${randomUUID()}`);
    this.#hosts = hosts;
  }

  protected async connect(): Promise<{ sql: SqlConnection; host: string } | undefined> {
    const host = await this.#primary();
    if (host === undefined) return undefined;
    const target: SqlTarget = host.member.sqlTarget;
    return { sql: await SqlConnection.open(target, IMPATIENT), host: host.name };
  }

  /** Whoever says so first; a host that does not answer holds nobody up. */
  async #primary(): Promise<Host | undefined> {
    const [first] = await Promise.all([
      Promise.any(
        this.#hosts.map(async (host) => {
          if (await host.member.answers('/primary')) return host;
          throw new Error(`${host.name} is no primary`);
        }),
      ).catch(() => undefined),
      pause(ASK_INTERVAL_MILLIS),
    ]);
    return first;
  }

  protected override onFailure(): void {
    this.disconnect();
  }
}

/** Writers on every host and one that asks who the primary is; knows what was acknowledged where and when. */
export class Witness {
  readonly #writers: readonly Writer[];
  readonly application: string;

  constructor(hosts: readonly Host[]) {
    const application = new ApplicationWriter(hosts);
    this.application = application.name;
    this.#writers = [...hosts.map((host) => new HostWriter(host)), application];
  }

  async start(primary: Host): Promise<void> {
    await queryOnce(primary.sqlTarget, LOOK, CREATE);
    for (const writer of this.#writers) writer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#writers.map(async (writer) => writer.stop()));
  }

  /** Everything that was acknowledged since then, in the order of the answers. */
  since(sinceMillis: Millis): Acknowledged[] {
    return this.#writers
      .flatMap(({ acknowledged }) => acknowledged.slice(firstSince(acknowledged, sinceMillis)))
      .sort((a, b) => a.atMillis - b.atMillis);
  }

  /** The newest timeline on which anything was acknowledged. */
  get newestTimeline(): number {
    return Math.max(
      0,
      ...this.#writers.map(({ acknowledged }) => acknowledged.at(-1)?.timeline ?? 0),
    );
  }

  /** Waits until this host has acknowledged a write of the application, and of its own, that begin from now on. */
  async whenServing(host: Host, timeoutMillis: Millis): Promise<void> {
    const now = performance.now();
    await until(
      `writes at ${host.name}, its own and those of the application`,
      () => {
        const fresh = this.since(now).filter(
          (each) => each.host === host.name && each.sentAtMillis >= now,
        );
        return new Set(fresh.map(({ writer }) => writer)).size > 1;
      },
      { timeoutMillis },
    );
  }

  /** Which rows a server has. */
  async rowsOf(host: Host): Promise<ReadonlySet<RowKey>> {
    const rows = await queryOnce(
      host.sqlTarget,
      LOOK,
      `select writer || ' ' || id as key from ${TABLE}`,
    );
    return new Set(rows.map((row) => String(row['key'])));
  }
}

/** Index of the first one at or after a moment. Looked for from the end: the log is long, the moment recent. */
function firstSince(acknowledged: readonly Acknowledged[], sinceMillis: Millis): number {
  let index = acknowledged.length;
  while (index > 0 && (acknowledged[index - 1]?.atMillis ?? 0) >= sinceMillis) index -= 1;
  return index;
}
