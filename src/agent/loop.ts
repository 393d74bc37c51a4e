import type { Decision } from '../core/decision.ts';
import { decide } from '../core/decide.ts';
import { since } from '../core/time.ts';
import type { Millis } from '../core/time.ts';
import type { Actor } from './act.ts';
import type { Commands } from './commands.ts';
import { Pacer } from './pacer.ts';
import type { AgentState } from './state.ts';
import type { Transitions } from './transitions.ts';

/** Decisions that change themselves at once, one after another, before this must pause. */
const BURST_MAX = 20;
const BURST_PAUSE_MILLIS: Millis = 100;

/** Observe, decide, act, record: woken by whatever changed, and at its own pace otherwise. */
export class Loop {
  readonly #state: AgentState;
  readonly #actor: Actor;
  readonly #commands: Commands;
  readonly #transitions: Transitions;
  readonly #pacer: Pacer;
  #burst = 0;
  #ready = false;
  #lastTickAt: number = 0;

  constructor(state: AgentState, actor: Actor, commands: Commands, transitions: Transitions) {
    this.#state = state;
    this.#actor = actor;
    this.#commands = commands;
    this.#transitions = transitions;
    this.#pacer = new Pacer(state.ports.clock, async () => this.#tick());
  }

  /** From now on decisions are made: the host has been looked at. */
  start(): void {
    this.#ready = true;
    this.#pacer.poke();
  }

  wake(): void {
    if (this.#ready) this.#pacer.poke();
  }

  /** Milliseconds since a decision was last made. */
  idleMillis(): Millis {
    return this.#state.now() - this.#lastTickAt;
  }

  stop(): void {
    this.#pacer.stop();
  }

  async #tick(): Promise<Millis> {
    const state = this.#state;
    const before = state.memory;
    const view = state.view();
    const decision = decide(view, before);
    state.ports.decided?.(view, before, decision);
    this.#transitions.observe(view);
    this.#lastTickAt = state.now();
    state.memory = decision.memory;
    this.#commands.noteDrained(decision.memory.handover?.drainedAt);
    this.#report(decision);
    state.decision = decision;
    await this.#actor.act(decision.actions);
    if (decision.memory !== before || decision.actions.length > 0) {
      this.#burst += 1;
      if (decision.memory !== before && decision.actions.length === 0 && this.#burst < BURST_MAX)
        return 0;
    } else {
      this.#burst = 0;
    }
    return this.#pause(decision);
  }

  #pause(decision: Decision): Millis {
    const heartbeatMillis = this.#state.ports.settings.current().policy.timing.heartbeatMillis;
    const floor = this.#burst >= BURST_MAX ? BURST_PAUSE_MILLIS : 5;
    if (decision.wakeAt === undefined) return heartbeatMillis;
    return Math.min(heartbeatMillis, Math.max(floor, since(this.#state.now(), decision.wakeAt)));
  }

  /** One line per change of decision; the figures inside a sentence alone are no change. */
  #report(decision: Decision): void {
    const state = this.#state;
    const last = state.decision;
    const same = last?.rule === decision.rule && sameButFigures(last.why, decision.why);
    for (const { kind } of decision.actions)
      state.ports.meter.count('actions_total', { rule: decision.rule, action: kind });
    if (same && decision.actions.length === 0) return;
    if (!same) state.decidedSince = state.now();
    const fields = {
      rule: decision.rule,
      rule_name: decision.name,
      why: decision.why,
      actions: decision.actions.map((action) => action.kind),
      generation: state.held?.n ?? state.host.floor.n,
    };
    if (!same) {
      state.ports.logger.log('info', 'decision', fields);
      state.ports.meter.count('decisions_total', { rule: decision.rule });
    }
  }
}

function sameButFigures(a: string, b: string): boolean {
  const shape = (text: string): string => text.replace(/\d+/g, '#');
  return a === b || shape(a) === shape(b);
}
