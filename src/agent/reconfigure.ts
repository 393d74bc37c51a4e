import { describeTarget, leader, targetOf, upstreamOf } from '../core/facts.ts';
import type { Slot } from '../core/cluster.ts';
import type { JsonObject } from '../core/json.ts';
import type { Settings } from '../core/settings.ts';
import { same } from '../core/same.ts';
import type { Millis } from '../core/time.ts';
import type { CommandAnswer } from './facade.ts';
import type { AgentState } from './state.ts';
import type { Transitions } from './transitions.ts';

const APPLY_RETRY_MILLIS: Millis = 500;

/** Settings that changed, in the files or in Consul, take effect here: at once, on every member. */
export class Reconfigure {
  readonly #state: AgentState;
  readonly #transitions: Transitions;
  /** A store that was restored may give one index twice. */
  #config: Slot<JsonObject> | undefined;
  #named = new Set<string>();
  #applying: Promise<void> = Promise.resolve();

  constructor(state: AgentState, transitions: Transitions) {
    this.#state = state;
    this.#transitions = transitions;
    state.configure = () => {
      this.#onRecord();
    };
    this.#name(state.ports.settings.current());
  }

  /** The `config` key moved. */
  #onRecord(): void {
    const slot = this.#state.cluster?.value.config;
    if (slot?.kind !== 'present' || same(slot, this.#config)) return;
    this.#config = slot;
    const { settings, logger } = this.#state.ports;
    const before = settings.current();
    const after = settings.applyDynamic(slot.value);
    logger.log('info', 'the dynamic configuration was read', { index: slot.index });
    this.#take(before, after);
  }

  async reloadFiles(): Promise<CommandAnswer> {
    const { settings, logger } = this.#state.ports;
    const before = settings.current();
    const reloaded = await settings.reload();
    if (!reloaded.ok) {
      logger.log('error', 'the configuration was not reloaded; the old one stays', {
        reason: reloaded.error.message,
        remedy: reloaded.error.remedy,
      });
      return {
        kind: 'failed',
        message: `reload failed, the old configuration stays: ${reloaded.error.message}`,
      };
    }
    logger.log('info', 'the configuration was reloaded');
    this.#take(before, reloaded.value);
    return { kind: 'accepted', message: 'reload scheduled' };
  }

  #take(before: Settings, after: Settings): void {
    this.#name(after);
    this.#state.changed();
    if (same(before.postgres, after.postgres)) return;
    this.#state.ports.postgres.configure(after.postgres);
    this.#schedule();
  }

  #schedule(): void {
    this.#applying = this.#applying.then(async () => this.#apply());
  }

  async #apply(): Promise<void> {
    const state = this.#state;
    // A server that is down gets its files written anew when it is started.
    if (state.postmaster().kind !== 'up') return;
    if (state.job !== undefined) {
      state.ports.clock.timer(APPLY_RETRY_MILLIS, () => {
        this.#schedule();
      });
      return;
    }
    const view = state.view();
    const member = state.held === undefined ? leader(view)?.member : undefined;
    const target = targetOf(view, member === undefined ? undefined : upstreamOf(member));
    const applied = await state.ports.postgres.applySettings(target);
    if (!applied.ok) {
      state.ports.logger.log('error', 'the new settings were not applied to Postgres', {
        reason: applied.error.message,
      });
      return;
    }
    if (state.held === undefined)
      state.memory = { ...state.memory, upstream: describeTarget(target) };
    state.ports.logger.log('info', 'the new settings were applied to Postgres');
    this.#transitions.reloaded(state.view());
  }

  /** Each warning and each key that is not honoured yet is named once. */
  #name(settings: Settings): void {
    for (const key of settings.notHonoured) {
      if (this.#named.has(key)) continue;
      this.#named.add(key);
      this.#state.ports.logger.log('warn', 'this setting is accepted and not honoured yet', {
        setting: key,
      });
    }
    for (const warning of settings.warnings) {
      if (this.#named.has(warning)) continue;
      this.#named.add(warning);
      this.#state.ports.logger.log('warn', warning);
    }
  }
}
