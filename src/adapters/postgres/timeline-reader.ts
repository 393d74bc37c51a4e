import { plus } from '../../core/time.ts';
import type { Instant, Millis } from '../../core/time.ts';
import type { ProbeRow, SessionRow } from '../../wire/postgres/probe-row.ts';
import { localAddress } from './conninfo.ts';
import type { Context } from './context.ts';
import { identifySystem } from './history.ts';

/** A log that is replayed from an archive moves all the time, and a walsender is no small thing. */
const ASK_EVERY_MILLIS = 1000;

/** Timeline of a standby as of a position of its log. */
interface KnownTimeline {
  /** Start of the postmaster: another one may be on another timeline. */
  readonly startedAt: string;
  readonly position: string;
  readonly timeline: number;
}

const positionOf = (row: ProbeRow): string => `${row.received_lsn ?? 0n} ${row.replayed_lsn ?? 0n}`;

/** Tells the timeline that a server is on, also when its receiver has ended. */
export class TimelineReader {
  readonly #context: Context;
  #known: KnownTimeline | undefined;
  #askedAt: Instant | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * A standby whose receiver has ended, as at the death of its primary, still has the log of the
   * receiver's timeline, which pg_control learns of much later. A walsender knows: it is asked once
   * for a position, when no receiver has told.
   */
  async of(row: ProbeRow, session: SessionRow, timeoutMillis: Millis): Promise<number> {
    if (!row.in_recovery) return Number.parseInt((row.wal_file ?? '').slice(0, 8), 16);
    const startedAt = session.postmaster_started_at;
    const position = positionOf(row);
    const known = this.#known?.startedAt === startedAt ? this.#known : undefined;
    const least = Math.max(known?.timeline ?? 0, row.control_timeline);
    const received = row.receiver?.received_tli ?? 0;
    if (received === 0 && (known?.position === position || !this.#mayAsk())) return least;
    const told = received > 0 ? received : await this.#ask(timeoutMillis);
    if (told === undefined) return least;
    const timeline = Math.max(told, least);
    this.#known = { startedAt, position, timeline };
    return timeline;
  }

  #mayAsk(): boolean {
    const now = this.#context.clock.now();
    if (this.#askedAt !== undefined && now < plus(this.#askedAt, ASK_EVERY_MILLIS)) return false;
    this.#askedAt = now;
    return true;
  }

  async #ask(timeoutMillis: Millis): Promise<number | undefined> {
    const settings = this.#context.settings();
    const endpoint = {
      host: localAddress(settings.listenAddresses),
      port: settings.port,
      database: settings.database,
      credentials: settings.replication,
    };
    const answer = await identifySystem(this.#context, endpoint, timeoutMillis);
    return answer.ok ? answer.value.timeline : undefined;
  }
}
