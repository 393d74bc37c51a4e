import type { ProbeAnswer, ServerFacts } from '../../core/postgres.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { plus, since } from '../../core/time.ts';
import type { Instant, Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import { parseProbeRow, parseSessionRow } from '../../wire/postgres/probe-row.ts';
import type { ParameterRow, ProbeRow, SessionRow } from '../../wire/postgres/probe-row.ts';
import type { Context } from './context.ts';
import { localEndpoint } from './local-session.ts';
import type { LocalSession } from './local-session.ts';
import { ownedParameters } from './parameters.ts';
import { pingPostmaster } from './postmaster-ping.ts';
import type { PostmasterSign } from './postmaster-ping.ts';
import { PROBE_STATEMENT, SESSION_STATEMENT } from './probe-query.ts';
import { TimelineReader } from './timeline-reader.ts';
import type { SqlConnection, SqlFault } from './sql-connection.ts';

/** pg_settings costs about as much as all the rest, and changes with a reload only. */
const PARAMETERS_EVERY_MILLIS = 10_000;
const ATTEMPTS_MAX = 2;
/** The kept session says nothing of the postmaster: that is asked now and then, and while it is silent. */
const PING_EVERY_MILLIS: Millis = 5000;
/** An answer is there by then; without one the postmaster is asked, too. */
const PING_AFTER_MILLIS: Millis = 250;
/** Starting up, shutting down, in recovery without hot standby; lost races with a promotion. */
const CANNOT_CONNECT_NOW = '57P03';
const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000';

const bug = (why: string): SqlFault => ({
  kind: 'unreachable',
  sqlState: undefined,
  message: `unintelligible answer: ${why}`,
});

const withoutPassword = (conninfo: string): string =>
  conninfo.replace(/\b(password|sslpassword)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)/g, '$1=[redacted]');

/** Differ between file and command line on purpose. */
const NEVER_PENDING = new Set(['hba_file', 'config_file', 'data_directory']);

/** Parameters whose running value is not what the next start would use: name to [running, configured]. */
export function pendingRestart(
  rows: readonly ParameterRow[],
  owned: Readonly<Record<string, string>>,
): Readonly<Record<string, readonly [string, string]>> {
  return Object.fromEntries(
    rows.flatMap((row): [string, readonly [string, string]][] => {
      const running = row.setting ?? '';
      const wanted = owned[row.name];
      if (wanted !== undefined) return wanted === running ? [] : [[row.name, [running, wanted]]];
      return row.pending && !NEVER_PENDING.has(row.name)
        ? [[row.name, [running, row.configured ?? 'default']]]
        : [];
    }),
  );
}

/** One question to the postmaster within a probe, put as soon as there is a reason. */
class Ping {
  readonly #ask: () => Promise<PostmasterSign>;
  readonly #cancel: () => void;
  #asked: Promise<PostmasterSign> | undefined;

  constructor(clock: Clock, afterMillis: Millis, ask: () => Promise<PostmasterSign>) {
    this.#ask = ask;
    this.#cancel = clock.timer(afterMillis, () => {
      void this.sign();
    });
  }

  sign(): Promise<PostmasterSign> {
    this.#cancel();
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  cancel(): void {
    this.#cancel();
  }

  /** Undefined: there was no need to ask. */
  async signIfAsked(): Promise<PostmasterSign | undefined> {
    this.#cancel();
    return this.#asked;
  }
}

/** Asks the own server, over the connection that is kept for it. */
export class Prober {
  readonly #context: Context;
  readonly #session: LocalSession;
  readonly #timelines: TimelineReader;
  #identity: { readonly connection: SqlConnection; readonly row: SessionRow } | undefined;
  #pingedAt: Instant | undefined;
  #parameters: { readonly askedAt: Instant; readonly rows: readonly ParameterRow[] } | undefined;

  constructor(context: Context, session: LocalSession) {
    this.#context = context;
    this.#session = session;
    this.#timelines = new TimelineReader(context);
  }

  /** The next probe looks at the parameters again. */
  forgetParameters(): void {
    this.#parameters = undefined;
  }

  async probe(timeoutMillis: Millis): Promise<ProbeAnswer> {
    const startedAt = this.#context.clock.now();
    const left = (): Millis => timeoutMillis - since(startedAt, this.#context.clock.now());
    const ping = this.#ping(left);
    let fault = bug('none');
    for (let attempt = 0; attempt < ATTEMPTS_MAX && left() > 0; attempt += 1) {
      const answer = await this.#session.use(left(), (connection, leftMillis) =>
        this.#ask(connection, leftMillis),
      );
      if (answer.ok) {
        const tookMillis = since(startedAt, this.#context.clock.now());
        const admitsNobody = (await ping.signIfAsked()) === 'silent';
        return { kind: 'answered', facts: answer.value, tookMillis, admitsNobody };
      }
      fault = answer.error;
      // A kept connection that broke says nothing of the server: ask again on a new one.
      const again =
        fault.sqlState === OBJECT_NOT_IN_PREREQUISITE_STATE || fault.kind === 'unreachable';
      if (!again) break;
    }
    return withoutAnswer(fault, ping);
  }

  /** Due every few seconds, and as soon as the session is slow. */
  #ping(left: () => Millis): Ping {
    const { clock } = this.#context;
    const dueIn =
      this.#pingedAt === undefined
        ? 0
        : PING_EVERY_MILLIS - since(this.#pingedAt, this.#context.clock.now());
    const ping = new Ping(clock, PING_AFTER_MILLIS, async () => {
      const endpoint = await localEndpoint(this.#context);
      const sign = await pingPostmaster(clock, endpoint, Math.max(left(), 1));
      this.#pingedAt = sign === 'answered' ? clock.now() : undefined;
      return sign;
    });
    if (dueIn <= 0) void ping.sign();
    return ping;
  }

  async #ask(
    connection: SqlConnection,
    leftMillis: () => Millis,
  ): Promise<Result<ServerFacts, SqlFault>> {
    const identity = await this.#identify(connection, leftMillis);
    if (!identity.ok) return identity;
    const owned = ownedParameters(this.#context.settings(), this.#context.scope);
    const now = this.#context.clock.now();
    const due =
      this.#parameters === undefined ||
      now >= plus(this.#parameters.askedAt, PARAMETERS_EVERY_MILLIS);
    const answer = await connection.query(
      PROBE_STATEMENT,
      [due, due ? Object.keys(owned) : []],
      leftMillis(),
    );
    if (!answer.ok) return answer;
    const parsed = parseProbeRow(answer.value[0]);
    if (!parsed.ok) return err(bug(parsed.why));
    const row = parsed.value;
    if (row.parameters !== null) this.#parameters = { askedAt: now, rows: row.parameters };
    const timeline = await this.#timelines.of(row, identity.value, leftMillis() / 2);
    const pending = pendingRestart(this.#parameters?.rows ?? [], owned);
    return ok(toFacts(row, identity.value, timeline, pending));
  }

  async #identify(
    connection: SqlConnection,
    leftMillis: () => Millis,
  ): Promise<Result<SessionRow, SqlFault>> {
    if (this.#identity?.connection === connection) return ok(this.#identity.row);
    const answer = await connection.query(SESSION_STATEMENT, [], leftMillis());
    if (!answer.ok) return answer;
    const parsed = parseSessionRow(answer.value[0]);
    if (!parsed.ok) return err(bug(parsed.why));
    // Another postmaster may run with other parameters.
    this.#parameters = undefined;
    this.#identity = { connection, row: parsed.value };
    return ok(parsed.value);
  }
}

/** Whoever refuses lives. */
function signOfLife({ kind, sqlState }: SqlFault): 'not-accepting' | 'refusing' | undefined {
  if (sqlState === CANNOT_CONNECT_NOW) return 'not-accepting';
  return kind === 'refused' && sqlState !== undefined ? 'refusing' : undefined;
}

/** What is known of a server that has not said what it is. */
async function withoutAnswer(fault: SqlFault, ping: Ping): Promise<ProbeAnswer> {
  const reason = fault.message;
  const refusal = signOfLife(fault);
  if (refusal !== undefined) {
    ping.cancel();
    return { kind: refusal, reason };
  }
  const sign = await ping.sign();
  if (sign === 'unreachable') return { kind: 'unreachable', reason };
  return { kind: sign === 'silent' ? 'silent' : 'stuck', reason };
}

function toFacts(
  row: ProbeRow,
  session: SessionRow,
  timeline: number,
  pending: Readonly<Record<string, readonly [string, string]>>,
): ServerFacts {
  const receiver = row.receiver;
  const host = receiver?.sender_host;
  return {
    inRecovery: row.in_recovery,
    timeline,
    flushLsn: row.flush_lsn,
    receivedLsn: row.received_lsn,
    replayedLsn: row.replayed_lsn,
    replayedAll: row.replayed_all ?? undefined,
    replayedAt: row.replayed_at === null ? undefined : Math.round(row.replayed_at),
    replayPaused: row.replay_paused,
    receiverState: receiver?.status,
    receiverUpstream: host === undefined ? undefined : `${host}:${receiver?.sender_port ?? 0}`,
    receiverTimeline: receiver?.received_tli ?? undefined,
    latestEndLsn: receiver?.latest_end_lsn,
    primaryConninfo:
      row.primary_conninfo === undefined ? undefined : withoutPassword(row.primary_conninfo),
    serverVersionNumber: session.server_version_number,
    postmasterStartedAt: session.postmaster_started_at,
    systemIdentifier: session.system_identifier,
    synchronousStandbyNames: row.synchronous_standby_names,
    replication: row.replication,
    slots: row.slots,
    pendingRestart: pending,
  };
}
