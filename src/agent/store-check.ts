import type { Instant, Millis } from '../core/time.ts';
import { since } from '../core/time.ts';
import { readStore } from './ingest.ts';
import type { AgentState } from './state.ts';

/** Consul that takes longer is as good as silent to whoever waits for a heartbeat. */
const TIMEOUT_MILLIS: Millis = 250;
/** What was found is old news after two rounds of questions. */
const FRESH_MILLIS: Millis = 1000;

/**
 * Whether Consul answers this member: a watch on which nothing happens does not tell. It is asked in the
 * background each time a leader that does not hear from Consul asks for a promise.
 */
export class StoreCheck {
  readonly #state: AgentState;
  #running = false;
  #found: { readonly at: Instant; readonly silent: boolean } | undefined;

  constructor(state: AgentState) {
    this.#state = state;
  }

  /** Known to be silent; that it has not been asked yet is no such knowledge. */
  isSilent(): boolean {
    const found = this.#found;
    return found?.silent === true && since(found.at, this.#state.now()) <= FRESH_MILLIS;
  }

  ask(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    const { answer } = await readStore(this.#state, TIMEOUT_MILLIS);
    this.#found = { at: this.#state.now(), silent: answer.kind !== 'read' };
    this.#running = false;
  }
}
