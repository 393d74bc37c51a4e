import type { Millis } from '../core/time.ts';
import type { SqlTarget } from './sql.ts';
import { SqlConnection } from './sql.ts';
import { pause, until } from './wait.ts';
import type { Acknowledgement } from './write-log.ts';
import { WriteLog } from './write-log.ts';
import { DemoError } from './demo-error.ts';

/** Servers that are tried in this order: one behind a proxy, several as libpq's multi-host. */
export type WriterTargets = readonly SqlTarget[];

export interface WriterOptions {
  readonly name: string;
  readonly targets: WriterTargets;
  readonly intervalMillis?: Millis;
}

/** What a check found that no check before it has told. */
export interface Checked {
  readonly acknowledged: number;
  readonly lost: readonly Acknowledgement[];
}

const INTERVAL_MILLIS = 20;
const POLL_MILLIS = 5;
/** Longer than any healthy answer on one machine, and short enough not to lengthen what is measured. */
const TIMEOUTS = { connectMillis: 500, statementMillis: 500 };

const CHECK_TIMEOUTS = { connectMillis: 5_000, statementMillis: 30_000 };

const TABLE = 'pgbaton_demo_writes';

/** Statement that makes the table of all writers. */
export const CREATE_WRITES = `create table if not exists ${TABLE} (
  writer text not null,
  id bigint not null,
  at timestamptz not null default clock_timestamp(),
  primary key (writer, id)
)`;

/**
 * A client that inserts a numbered row every 20 ms, one at a time, and remembers which ones were
 * acknowledged. After an error it connects anew; a row without an answer is never sent again.
 */
export class Writer {
  readonly name: string;
  readonly log = new WriteLog();
  readonly #targets: WriterTargets;
  readonly #intervalMillis: Millis;
  #connection: SqlConnection | undefined;
  #connectedAtMillis = 0;
  #writing = false;
  #checkedCount = 0;
  readonly #knownLost = new Set<number>();
  #nextId = 1;
  #failures = 0;
  #lastError = '';
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(options: WriterOptions) {
    this.name = options.name;
    this.#targets = options.targets;
    this.#intervalMillis = options.intervalMillis ?? INTERVAL_MILLIS;
  }

  /** Attempts that did not end in an acknowledgement. */
  get failures(): number {
    return this.#failures;
  }

  get lastError(): string {
    return this.#lastError;
  }

  /** No row is on its way, and the last answer is at least this old. */
  isQuiet(forMillis: Millis): boolean {
    const last = this.log.last;
    return !this.#writing && last !== undefined && performance.now() - last.atMillis >= forMillis;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Waits for an acknowledged write on a connection that was opened after `sinceMillis` (monotonic). */
  async whenReconnected(sinceMillis: Millis, timeoutMillis: Millis): Promise<Acknowledgement> {
    return until(
      `${this.name}: a write on a new connection`,
      () => this.#connectedAtMillis > sinceMillis && this.log.firstSince(this.#connectedAtMillis),
      { timeoutMillis, intervalMillis: POLL_MILLIS, abort: () => this.#whyNever() },
    );
  }

  /** Waits for a write that is acknowledged from now on. */
  async nextAcknowledgement(timeoutMillis: Millis): Promise<Acknowledgement> {
    const now = performance.now();
    return until(`${this.name}: a write`, () => this.log.firstSince(now), {
      timeoutMillis,
      intervalMillis: POLL_MILLIS,
      abort: () => this.#whyNever(),
    });
  }

  #whyNever(): Error | undefined {
    return this.#stopping ? new DemoError(`${this.name} was stopped`) : undefined;
  }

  /**
   * Looks for every row that was ever acknowledged, because a wrong primary may lack old ones too.
   * What a former check has already counted or missed is not told again.
   */
  async check(server: SqlTarget): Promise<Checked> {
    const counted = this.log.count;
    const connection = await SqlConnection.open(server, CHECK_TIMEOUTS);
    try {
      const rows = await connection.query(
        `select id::float8 as id from ${TABLE} where writer = $1`,
        [this.name],
      );
      const present = new Set(rows.map((row) => Number(row['id'])));
      // Written after the question was asked.
      const asked = this.log.at(counted - 1)?.id ?? 0;
      const lost = this.log
        .missing(present)
        .filter(({ id }) => id <= asked && !this.#knownLost.has(id));
      for (const { id } of lost) this.#knownLost.add(id);
      const acknowledged = counted - this.#checkedCount;
      this.#checkedCount = counted;
      return { acknowledged, lost };
    } finally {
      connection.close();
    }
  }

  async #run(): Promise<void> {
    let due = performance.now();
    while (!this.#stopping) {
      await this.#writeOnce();
      due = Math.max(due + this.#intervalMillis, performance.now());
      await pause(due - performance.now());
    }
  }

  async #writeOnce(): Promise<void> {
    try {
      if (this.#connection === undefined) {
        this.#connection = await this.#connect();
        this.#connectedAtMillis = performance.now();
      }
      const connection = this.#connection;
      this.#writing = true;
      const id = this.#nextId;
      this.#nextId += 1;
      await connection.query(
        `insert into ${TABLE} (writer, id) values ($1, $2)`,
        [this.name, id],
        'pgbaton_demo_write',
      );
      this.log.add(id, performance.now());
    } catch (error) {
      this.#failures += 1;
      this.#lastError = error instanceof Error ? error.message : String(error);
      this.#connection?.close();
      this.#connection = undefined;
    } finally {
      this.#writing = false;
    }
  }

  /** The first server that takes writes, as `target_session_attrs=read-write` chooses it. */
  async #connect(): Promise<SqlConnection> {
    let last: unknown = new DemoError('no server to write to');
    for (const target of this.#targets) {
      try {
        const connection = await SqlConnection.open(target, TIMEOUTS);
        if (await isWritable(connection)) return connection;
        connection.close();
        last = new DemoError(`${target.host}:${target.port} is read-only`);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

async function isWritable(connection: SqlConnection): Promise<boolean> {
  try {
    const [row] = await connection.query('show transaction_read_only');
    return row?.['transaction_read_only'] === 'off';
  } catch (error) {
    connection.close();
    throw error;
  }
}
