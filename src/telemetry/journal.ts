import type { Decision } from '../core/decision.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Memory } from '../core/memory.ts';
import { since } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import type { View } from '../core/view.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/telemetry.ts';
import type { Journal } from './events.ts';
import { difference, encode, JOURNAL_FORMAT } from './journal-format.ts';

/** The same decision is written again at most this often: what it was made from goes on changing. */
const SAME_EVERY_MILLIS: Millis = 1000;
/** So many entries tell only what has changed; then one tells all, so that a cut file can be read. */
const CHANGES_IN_A_ROW = 63;

interface DecisionJournalOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
}

interface Last {
  readonly at: Instant;
  readonly shape: string;
  readonly view: Json;
  readonly memory: Json;
}

/**
 * Writes each decision with all that it was made from, so that it can be made again: `npm run sim --
 * --journal FILE`. An entry holds the View and the Memory, or what has changed in them since the
 * entry before; no secret, and no text of the settings that may hold one.
 */
export class DecisionJournal {
  readonly #options: DecisionJournalOptions;
  /** What is replaced and never changed is encoded once. */
  readonly #encoded = new WeakMap<object, Json>();
  #last: Last | undefined;
  #sequence = 0;
  #changesInARow = 0;
  #failed = false;

  constructor(options: DecisionJournalOptions) {
    this.#options = options;
  }

  /** For the port `decided` of an agent. */
  record(view: View, memory: Memory, decision: Decision): void {
    const shape = shapeOf(decision);
    const last = this.#last;
    if (last?.shape === shape && since(last.at, view.now) < SAME_EVERY_MILLIS) return;
    try {
      this.#write(view, memory, decision, shape);
    } catch (error) {
      this.#last = undefined;
      if (!this.#failed)
        this.#options.logger.log('warn', 'a decision could not be journaled', { error });
      this.#failed = true;
    }
  }

  #write(view: View, memory: Memory, decision: Decision, shape: string): void {
    const { clock, journal, version } = this.#options;
    const next: Last = {
      at: view.now,
      shape,
      view: this.#encodeView(view),
      memory: encode(memory),
    };
    const whole = this.#last === undefined || this.#changesInARow >= CHANGES_IN_A_ROW;
    this.#changesInARow = whole ? 0 : this.#changesInARow + 1;
    this.#sequence += 1;
    const { rule, name, why, waitsFor, actions } = decision;
    journal.record({
      v: JOURNAL_FORMAT,
      at: new Date(clock.wall()).toISOString(),
      member: view.self,
      generation: view.held?.n ?? view.host.floor.n,
      rule,
      name,
      why: encode(why),
      waitsFor: encode(waitsFor),
      actions: encode(actions),
      version,
      sequence: this.#sequence,
      ...(whole || this.#last === undefined
        ? { view: next.view, memory: next.memory }
        : changes(this.#last, next)),
    });
    this.#last = next;
  }

  #encodeView(view: View): Json {
    const { settings, cluster, ...rest } = view;
    const encodedCluster =
      cluster === undefined
        ? encode(cluster)
        : {
            ...(encode({ ...cluster, value: null }) as JsonObject),
            value: this.#once(cluster.value, encodeCluster),
          };
    return {
      ...(encode(rest) as JsonObject),
      settings: this.#once(settings, encodeSettings),
      cluster: encodedCluster,
    };
  }

  #once<T extends object>(value: T, encodeIt: (value: T) => Json): Json {
    const known = this.#encoded.get(value);
    if (known !== undefined) return known;
    const encoded = encodeIt(value);
    this.#encoded.set(value, encoded);
    return encoded;
  }
}

function changes(before: Last, after: Last): JsonObject {
  const view = difference(before.view, after.view);
  const memory = difference(before.memory, after.memory);
  return {
    ...(view === undefined ? {} : { viewChanges: view }),
    ...(memory === undefined ? {} : { memoryChanges: memory }),
  };
}

/** The figures inside a sentence alone are no other decision. */
const shapeOf = ({ rule, why, actions }: Decision): string =>
  [rule, why.replace(/\d+/g, '#'), ...actions.map(({ kind }) => kind)].join('\n');

/** Commands, parameters and their like may hold anything; decisions are made without their text. */
function encodeSettings(settings: View['settings']): Json {
  const { postgres, bootstrap } = settings;
  return {
    ...(encode(settings) as JsonObject),
    postgres: { ...(encode(postgres, true) as JsonObject), dataDir: encode(postgres.dataDir) },
    bootstrap: encode(bootstrap, true),
  };
}

function encodeCluster(record: NonNullable<View['cluster']>['value']): Json {
  const { config, ...rest } = record;
  const hidden =
    config.kind === 'present' ? { ...config, value: encode(config.value, true) } : encode(config);
  return { ...(encode(rest) as JsonObject), config: hidden };
}
