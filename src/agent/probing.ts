import type { ProbeAnswer } from '../core/postgres.ts';
import { same } from '../core/same.ts';
import type { Millis } from '../core/time.ts';
import { since } from '../core/time.ts';
import type { Postmaster } from '../core/view.ts';
import { noteTimeline } from './host-memory.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

/** Postgres answers in milliseconds or is not well; the next question is not put before this one ended. */
const PROBE_TIMEOUT_MILLIS: Millis = 1000;
/** An answer stands for this long when the next ones do not come. */
const ANSWER_KEPT_MILLIS: Millis = 3000;
const STARTING_EVERY_MILLIS: Millis = 50;
const DIRECTORY_EVERY_MILLIS: Millis = 5000;

/** Keeps what is known of Postgres fresh: asked at every heartbeat, and at once when something happened. */
export class Probing {
  readonly #state: AgentState;
  #running: Promise<void> | undefined;
  /** The postmaster that the newest probe was about. */
  #asked: Postmaster | undefined;
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
    if (postmaster.kind === 'up') await this.#probe();
    else {
      state.probe = undefined;
      await this.#directory();
    }
  }

  async #probe(): Promise<void> {
    const state = this.#state;
    const before = state.probe?.value;
    const askedAt = state.now();
    const value = await state.ports.postgres.probe(PROBE_TIMEOUT_MILLIS);
    if (state.postmaster().kind !== 'up') return;
    const receivedAt = state.now();
    if (value.kind === 'answered') {
      state.answeredAt = receivedAt;
      await noteTimeline(state, value.facts);
    }
    // One answer that is missed is an accident of the connection or the disk, not news of the server.
    const last = state.probe;
    const young = last !== undefined && since(last.receivedAt, receivedAt) < ANSWER_KEPT_MILLIS;
    if (value.kind === 'unreachable' && last?.value.kind === 'answered' && young) return;
    state.probe = { value, askedAt, receivedAt };
    if (isNews(before, value)) state.changed();
    if (state.directory === undefined) await this.#directory();
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
      this.#state.directory = undefined;
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
