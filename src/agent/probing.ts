import type { ProbeAnswer, Silence } from '../core/postgres.ts';
import { same } from '../core/same.ts';
import type { Instant, Millis } from '../core/time.ts';
import { instant, since } from '../core/time.ts';
import type { Postmaster } from '../core/view.ts';
import { readDisk } from './disk.ts';
import { noteTimeline } from './host-memory.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

/** Postgres answers in milliseconds or is not well; the next question is not put before this one ended. */
const PROBE_TIMEOUT_MILLIS: Millis = 1000;
/** A server that is slow gets longer with each probe, and so answers in the end. */
const PROBE_TIMEOUT_MAX_MILLIS: Millis = 4000;
/** While its session answers, what that says is to be no older than it has to be. */
const PING_TIMEOUT_MAX_MILLIS: Millis = 2000;
/** A deadline that is noticed later than this says more of this host than of Postgres. */
const NOTICED_WITHIN_MILLIS: Millis = 500;
/** An answer stands for this long when the next ones do not come. */
const ANSWER_KEPT_MILLIS: Millis = 3000;
/** The same, of a leader whose postmaster answers: somebody may have locked what a login needs. */
const STUCK_KEPT_MILLIS: Millis = 30_000;
const STARTING_EVERY_MILLIS: Millis = 50;
const DIRECTORY_EVERY_MILLIS: Millis = 5000;
const DISK_EVERY_MILLIS: Millis = 2000;

/** Keeps what is known of Postgres fresh: asked at every heartbeat, and at once when something happened. */
export class Probing {
  readonly #state: AgentState;
  #running: Promise<void> | undefined;
  /** The postmaster that the newest probe was about. */
  #asked: Postmaster | undefined;
  /** When the last probe ended that nobody had answered. */
  #silentAt: Instant | undefined;
  #askingDisk = false;
  #diskAskedAt: Instant = instant(-Infinity);
  readonly #pacer: Pacer;

  constructor(state: AgentState) {
    this.#state = state;
    this.#pacer = new Pacer(state.ports.clock, async () => {
      await this.refresh();
      return this.#pause();
    });
  }

  /** A probe that was asked for after this call, and the data directory when the server is down. */
  async refresh(): Promise<void> {
    if (this.#running !== undefined) await this.#running;
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  start(): void {
    this.#pacer.poke();
  }

  #pause(): Millis {
    const heartbeatMillis = this.#state.ports.settings.current().policy.timing.heartbeatMillis;
    const unanswered =
      this.#state.postmaster().kind === 'up' && this.#state.probe?.value.kind !== 'answered';
    return unanswered ? STARTING_EVERY_MILLIS : heartbeatMillis;
  }

  async #look(): Promise<void> {
    const state = this.#state;
    const postmaster = state.postmaster();
    this.#asked = postmaster;
    // Of a server that is down too: whether it could be started.
    this.#lookAtDisk();
    if (postmaster.kind === 'up') await this.#probe();
    else {
      state.probe = undefined;
      await this.#directory();
    }
  }

  /** A disk that does not answer is not asked twice, and nothing waits for it. */
  #lookAtDisk(): void {
    const state = this.#state;
    const now = state.now();
    if (this.#askingDisk || since(this.#diskAskedAt, now) < DISK_EVERY_MILLIS) return;
    this.#askingDisk = true;
    this.#diskAskedAt = now;
    const before = state.disk;
    void readDisk(state).then((disk) => {
      this.#askingDisk = false;
      if (disk?.fullSince !== undefined || before?.fullSince !== undefined) state.changed();
    });
  }

  async #probe(): Promise<void> {
    const state = this.#state;
    const before = state.probe?.value;
    const askedAt = state.now();
    const timeoutMillis = this.#timeout();
    const value = await state.ports.postgres.probe(timeoutMillis);
    if (state.postmaster().kind !== 'up' || !same(state.postmaster(), this.#asked)) return;
    const receivedAt = state.now();
    this.#noteLife(value, { askedAt, receivedAt, timeoutMillis });
    if (value.kind === 'answered') {
      state.answeredAt = receivedAt;
      await noteTimeline(state, value.facts);
    }
    if (this.#isStillSo(value, receivedAt)) return;
    state.probe = { value, askedAt, receivedAt };
    if (isNews(before, value)) state.changed();
    if (state.directory === undefined) await this.#directory();
  }

  #timeout(): Millis {
    const { silence, probe } = this.#state;
    const mostMillis =
      probe?.value.kind === 'answered' && probe.value.admitsNobody === true
        ? PING_TIMEOUT_MAX_MILLIS
        : PROBE_TIMEOUT_MAX_MILLIS;
    return Math.min(PROBE_TIMEOUT_MILLIS * (1 + (silence?.probes ?? 0)), mostMillis);
  }

  /** Silence counts for as long as it was listened to, and no longer. */
  #noteLife(
    value: ProbeAnswer,
    {
      askedAt,
      receivedAt,
      timeoutMillis,
    }: {
      readonly askedAt: Instant;
      readonly receivedAt: Instant;
      readonly timeoutMillis: Millis;
    },
  ): void {
    const state = this.#state;
    // It was told to stand still.
    if (state.brake === 'frozen') return;
    const nobody = value.kind === 'silent' || (value.kind === 'answered' && value.admitsNobody);
    if (value.kind !== 'silent' && value.kind !== 'unreachable') state.aliveAt = receivedAt;
    if (nobody !== true) {
      state.silence = undefined;
      this.#silentAt = undefined;
      return;
    }
    const listenedFrom = this.#silentAt ?? askedAt;
    this.#silentAt = receivedAt;
    if (since(askedAt, receivedAt) > timeoutMillis + NOTICED_WITHIN_MILLIS) return;
    const before: Silence = state.silence ?? { probes: 0, waitedMillis: 0 };
    const waitedMillis = Math.min(since(listenedFrom, receivedAt), timeoutMillis);
    state.silence = {
      probes: before.probes + 1,
      waitedMillis: before.waitedMillis + waitedMillis,
    };
    state.changed();
  }

  /**
   * One answer that is missed is an accident of the connection or the disk, not news of the server.
   * One that turns this agent away is still what it was when it was last heard, and so is a primary
   * whose sessions wait for something, for a while: nobody else may be one.
   */
  #isStillSo(value: ProbeAnswer, receivedAt: Instant): boolean {
    const last = this.#state.probe;
    if (last?.value.kind !== 'answered') return false;
    if (value.kind === 'refusing') return true;
    if (this.#state.brake === 'frozen' && value.kind !== 'answered') return true;
    const patient = value.kind === 'stuck' && this.#state.held !== undefined;
    const isYoung =
      since(last.receivedAt, receivedAt) < (patient ? STUCK_KEPT_MILLIS : ANSWER_KEPT_MILLIS);
    return isYoung && value.kind !== 'answered' && value.kind !== 'not-accepting';
  }

  async #directory(): Promise<void> {
    const state = this.#state;
    const known = state.directory;
    if (known !== undefined && since(known.askedAt, state.now()) < DIRECTORY_EVERY_MILLIS) return;
    // While a job works on the directory, what it looks like halfway is nobody's business.
    if (known !== undefined && state.job !== undefined) return;
    const askedAt = state.now();
    const value = await state.ports.postgres.inspectDataDirectory();
    state.directory = { value, askedAt, receivedAt: state.now() };
    if (known?.value.kind !== value.kind || value.kind === 'cluster') state.changed();
  }

  /** Something is new of the guardian. Of another postmaster, or of none, all that was known is of the past. */
  invalidate(): void {
    const postmaster = this.#state.postmaster();
    if (postmaster.kind !== 'up' || !same(postmaster, this.#asked)) {
      this.#state.probe = undefined;
      this.#state.answeredAt = undefined;
      this.#state.aliveAt = undefined;
      this.#state.silence = undefined;
      this.#silentAt = undefined;
      this.#state.directory = undefined;
      this.#diskAskedAt = instant(-Infinity);
    }
    this.#pacer.poke();
  }

  stop(): void {
    this.#pacer.stop();
  }
}

/** Positions move all the time; what the server is, and whom it follows, is what decisions rest on. */
function isNews(before: ProbeAnswer | undefined, now: ProbeAnswer): boolean {
  if (before?.kind !== 'answered' || now.kind !== 'answered') return before?.kind !== now.kind;
  const keys = [
    'inRecovery',
    'timeline',
    'receiverState',
    'primaryConninfo',
    'synchronousStandbyNames',
  ] as const;
  if (keys.some((key) => before.facts[key] !== now.facts[key])) return true;
  const [known, shown] = [before.facts.replication, now.facts.replication];
  return (
    known.length !== shown.length ||
    known.some(({ applicationName, state }, at) => {
      const row = shown[at];
      return row?.applicationName !== applicationName || row.state !== state;
    })
  );
}
