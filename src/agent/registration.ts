import type { Millis } from '../core/time.ts';
import type { ServiceFacts, ServiceRegistry } from '../ports/service-registry.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';

const EVERY_MILLIS: Millis = 5000;
const TIMEOUT_MILLIS: Millis = 2000;
/** A process that is told to end waits no longer for a Consul that does not answer. */
const LEAVE_MILLIS: Millis = 1000;

/** Keeps the service entry true: at once when the role changes, and every few seconds for an agent that lost it. */
export class Registration {
  readonly #state: AgentState;
  readonly #registry: ServiceRegistry;
  readonly #facts: () => ServiceFacts;
  readonly #pacer: Pacer;
  #shown: string | undefined;
  #failing = false;

  constructor(state: AgentState, registry: ServiceRegistry, facts: () => ServiceFacts) {
    this.#state = state;
    this.#registry = registry;
    this.#facts = facts;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#publish());
  }

  /** Something changed: publishes when it is something that the service shows. */
  poke(): void {
    const facts = this.#facts();
    if (`${facts.role}/${facts.state}` !== this.#shown) this.#pacer.poke();
  }

  async #publish(): Promise<Millis> {
    const facts = this.#facts();
    this.#shown = `${facts.role}/${facts.state}`;
    const published = await this.#registry.publish(facts, TIMEOUT_MILLIS);
    if (!published.ok && !this.#failing) {
      this.#state.ports.logger.log('warn', 'the Consul service could not be registered', {
        reason: published.error.message,
        remedy: published.error.remedy,
      });
    }
    this.#failing = !published.ok;
    return EVERY_MILLIS;
  }

  async leave(): Promise<void> {
    this.#pacer.stop();
    await this.#registry.withdraw(LEAVE_MILLIS);
  }

  stop(): void {
    this.#pacer.stop();
  }
}
