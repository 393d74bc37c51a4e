import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { SqlConnection } from '../../src/demo/sql.ts';
import type { DemoMember } from '../../src/demo/member.ts';
import { pause } from '../../src/demo/wait.ts';
import { CREATE_WRITES } from '../../src/demo/writer.ts';
import type { Millis } from '../../src/core/time.ts';
import { BOUNDS, eventually } from './cluster.ts';
import type { TestCluster } from './cluster.ts';

const WRITE_INTERVAL_MILLIS = 20;
const TIMEOUTS = { connectMillis: 1_000, statementMillis: 1_000 };

/** A row whose insertion a server acknowledged. */
export interface Write {
  readonly member: string;
  readonly id: number;
  /** Monotonic time at which the answer arrived. */
  readonly atMillis: Millis;
}

/**
 * A client of one member's Postgres, past every proxy and health check: inserts a numbered row every
 * 20 ms and remembers which were acknowledged. It keeps its connection when the server is read-only,
 * so it writes the very moment that this server takes writes, rightly or not.
 */
export class MemberWriter {
  readonly member: DemoMember;
  /** Tells its rows from those of other writers of the same member. */
  readonly name: string;
  /** In the order of their answers. */
  readonly writes: Write[] = [];
  /** Connections that ended or could not be made; refusals of a standby are none. */
  readonly disconnections: { readonly atMillis: Millis; readonly reason: string }[] = [];
  #connection: SqlConnection | undefined;
  #nextId = 1;
  #stopping = false;
  readonly #running: Promise<void>;

  constructor(member: DemoMember) {
    this.member = member;
    this.name = `${member.name} ${randomUUID()}`;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    this.#connection?.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const begunAt = performance.now();
      await this.#writeOnce();
      await pause(Math.max(1, begunAt + WRITE_INTERVAL_MILLIS - performance.now()));
    }
  }

  async #writeOnce(): Promise<void> {
    try {
      this.#connection ??= await SqlConnection.open(this.member.sqlTarget, TIMEOUTS);
      const id = this.#nextId;
      this.#nextId += 1;
      await this.#connection.query(
        'insert into pgbaton_demo_writes (writer, id) values ($1, $2)',
        [this.name, id],
        'write',
      );
      this.writes.push({ member: this.member.name, id, atMillis: performance.now() });
    } catch (error) {
      // 25006: a standby. 42P01: it has not replayed the making of the table yet.
      const code = (error as { code?: unknown }).code;
      if (code === '25006' || code === '42P01') return;
      const reason = error instanceof Error ? error.message : String(error);
      this.disconnections.push({ atMillis: performance.now(), reason });
      this.#connection?.close();
      this.#connection = undefined;
    }
  }
}

/** One answer of 200 to GET /primary. */
interface Primary {
  readonly member: string;
  readonly askedAt: Millis;
  readonly answeredAt: Millis;
}

const WATCH_INTERVAL_MILLIS = 50;

/** Writers on every member and a watch of every /primary, for as long as a test puts the cluster to trouble. */
export class ClusterLoad {
  readonly writers: readonly MemberWriter[];
  readonly #primaries: Primary[] = [];
  #stopping = false;
  readonly #watching: readonly Promise<void>[];

  private constructor(members: readonly DemoMember[]) {
    this.writers = members.map((member) => new MemberWriter(member));
    this.#watching = members.map(async (member) => this.#watch(member));
  }

  /** Makes the table on the primary and waits for the first write. */
  static async start(cluster: TestCluster, primary: DemoMember): Promise<ClusterLoad> {
    await primary.sql(CREATE_WRITES);
    const load = new ClusterLoad(cluster.members);
    await load.whenServing(primary);
    return load;
  }

  writerOf(member: DemoMember): MemberWriter {
    const writer = this.writers.find((each) => each.member === member);
    if (writer === undefined) throw new Error(`no writer of ${member.name}`);
    return writer;
  }

  /** A write that this member's Postgres acknowledges, and a /primary that says 200, both from now on. */
  async whenServing(
    member: DemoMember,
    timeoutMillis: Millis = BOUNDS.takeoverMillis,
  ): Promise<void> {
    const now = performance.now();
    const { writes } = this.writerOf(member);
    await eventually(
      `${member.name} serving writes`,
      () => {
        const written = (writes.at(-1)?.atMillis ?? 0) >= now;
        const { member: name, askedAt = 0 } = this.#primaries.at(-1) ?? {};
        return written && name === member.name && askedAt >= now;
      },
      timeoutMillis,
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#watching, ...this.writers.map(async (writer) => writer.stop())]);
  }

  /** Each on its own: a member that does not answer must not slow the look at the others down. */
  async #watch(member: DemoMember): Promise<void> {
    while (!this.#stopping) {
      const askedAt = performance.now();
      const is = await member.answers('/primary');
      const answeredAt = performance.now();
      if (is) this.#primaries.push({ member: member.name, askedAt, answeredAt });
      await pause(Math.max(1, askedAt + WATCH_INTERVAL_MILLIS - performance.now()));
    }
  }

  /**
   * Moments at which two members said that they are the primary. Even the shortest hand-over leaves
   * several times as long without one, and two at once are each asked within this time.
   */
  get twoPrimaries(): string[] {
    const sorted = this.#primaries.toSorted((a, b) => a.answeredAt - b.answeredAt);
    return sorted.flatMap((answer, index) => {
      const before = sorted[index - 1];
      if (before === undefined || before.member === answer.member) return [];
      const apart = answer.askedAt - before.answeredAt;
      if (apart > WATCH_INTERVAL_MILLIS) return [];
      return [`${before.member} and ${answer.member}, ${apart.toFixed(1)} ms apart`];
    });
  }

  /** All acknowledged writes from a moment on, in the order of their acknowledgement. */
  writesSince(sinceMillis: Millis): Write[] {
    return this.writers
      .flatMap(({ writes }) => writes.filter(({ atMillis }) => atMillis >= sinceMillis))
      .sort((a, b) => a.atMillis - b.atMillis);
  }

  /**
   * Members in the order in which they acknowledged writes since then, each run of the same one once.
   * Two that take writes at the same time show as A, B, A.
   */
  writableSequence(sinceMillis: Millis): string[] {
    return runs(this.writesSince(sinceMillis).map(({ member }) => member));
  }

  /** The same of the answers to /primary. */
  primarySequence(sinceMillis: Millis): string[] {
    return runs(
      this.#primaries
        .filter(({ askedAt }) => askedAt >= sinceMillis)
        .sort((a, b) => a.answeredAt - b.answeredAt)
        .map(({ member }) => member),
    );
  }

  /** The longest time since then, up to now, in which no member acknowledged a write. */
  gapSince(sinceMillis: Millis): Millis {
    const times = this.writesSince(sinceMillis).map(({ atMillis }) => atMillis);
    const edges = [sinceMillis, ...times, performance.now()];
    return edges.reduce(
      (longest, at, index) => Math.max(longest, at - (edges[index - 1] ?? at)),
      0,
    );
  }

  /** Writes acknowledged since then that the server of this member does not have. */
  async lost(primary: DemoMember, sinceMillis: Millis = 0): Promise<Write[]> {
    // Noted before the server is asked: the writers go on meanwhile.
    const acknowledged = this.writers.map(({ name, writes }) => ({
      name,
      writes: writes.filter(({ atMillis }) => atMillis >= sinceMillis),
    }));
    const rows = await primary.sql('select writer, id::float8 as id from pgbaton_demo_writes');
    const kept = new Map<string, Set<number>>();
    for (const row of rows) {
      const writer = String(row['writer']);
      kept.set(writer, (kept.get(writer) ?? new Set()).add(Number(row['id'])));
    }
    return acknowledged.flatMap(({ name, writes }) =>
      writes.filter(({ id }) => !kept.get(name)?.has(id)),
    );
  }
}

/** One load for all tests of a file, from when its cluster has settled, or what else it begins with. */
export function useLoad(
  cluster: () => TestCluster,
  begin: (of: TestCluster) => Promise<DemoMember> = async (of) => of.settle(),
): () => ClusterLoad {
  let current: ClusterLoad | undefined;
  beforeAll(async () => {
    current = await ClusterLoad.start(cluster(), await begin(cluster()));
  });
  afterAll(async () => {
    await current?.stop();
  });
  return () => {
    if (current === undefined) throw new Error('the load was not started');
    return current;
  };
}

const runs = (names: readonly string[]): string[] =>
  names.filter((name, index) => name !== names[index - 1]);
