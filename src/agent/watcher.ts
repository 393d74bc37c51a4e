import type { Millis } from '../core/time.ts';
import { sleep } from '../ports/clock.ts';
import { ingest, readStore } from './ingest.ts';
import type { AgentState } from './state.ts';

/**
 * A leader changes the record with each heartbeat. A watch that has brought none of two is asked anew: it may
 * hang on a server of Consul that is lost, while another leads; or the store has lost the past in silence.
 */
const BEATS = 2;
const WAIT_LEAST_MILLIS: Millis = 1000;
const WAIT_MOST_MILLIS: Millis = 10_000;
const PAUSE_FIRST_MILLIS: Millis = 100;
const PAUSE_MAX_MILLIS: Millis = 1000;

/** One blocking query on all keys of the cluster. It only wakes: it never carries a decision. */
export class Watcher {
  readonly #state: AgentState;
  readonly #onRecord: () => void;
  readonly #stop = new AbortController();
  #failing = false;

  constructor(state: AgentState, onRecord: () => void) {
    this.#state = state;
    this.#onRecord = onRecord;
  }

  async run(): Promise<void> {
    const { store, clock } = this.#state.ports;
    let index = 0;
    let pauseMillis = PAUSE_FIRST_MILLIS;
    while (!this.#stop.signal.aborted) {
      const askedAt = this.#state.now();
      const answer = await store.watch(index, this.#waitMillis(), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      if (answer.kind === 'failed') {
        this.#state.storeGap = true;
        this.#report(answer.failure.message);
        index = 0;
        await sleep(clock, pauseMillis, this.#stop.signal);
        pauseMillis = Math.min(pauseMillis * 2, PAUSE_MAX_MILLIS);
        continue;
      }
      pauseMillis = PAUSE_FIRST_MILLIS;
      this.#recovered();
      index = answer.index;
      if (ingest(this.#state, answer.record, answer.index, askedAt) === 'outdated') {
        await this.#readAgain();
        continue;
      }
      this.#onRecord();
    }
  }

  /** An index below an own write is either an old answer or a store that lost the past: a read tells. */
  async #readAgain(): Promise<void> {
    const { taken } = await readStore(this.#state);
    if (taken) this.#onRecord();
  }

  #waitMillis(): Millis {
    const { heartbeatMillis } = this.#state.ports.settings.current().policy.timing;
    return Math.min(WAIT_MOST_MILLIS, Math.max(WAIT_LEAST_MILLIS, BEATS * heartbeatMillis));
  }

  #report(message: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#state.ports.logger.log('warn', 'Consul cannot be watched', { reason: message });
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#state.ports.logger.log('info', 'Consul can be watched again');
  }

  stop(): void {
    this.#stop.abort();
  }
}
