import type { JsonObject } from '../../src/core/json.ts';
import type { Timing, WatchdogSettings } from '../../src/core/settings.ts';
import { checkTiming, timingWithDefaults } from '../../src/core/timing.ts';
import { seededRandom } from '../harness/fake-store-clock.ts';

/** How a member is of no use to the others. */
export type Away = 'off' | 'cut off' | 'no agent' | 'cannot promote';

/** What a seed draws before anything happens. */
export interface Plan {
  readonly members: number;
  /** Tags of each member, as in its configuration file. */
  readonly tags: readonly JsonObject[];
  /** First content of the `config` key. */
  readonly dynamic: JsonObject;
  readonly keptWalBytes: number;
  readonly meanPauseMillis: number;
  readonly faultMillis: number;
  /** How many times as long as usual each fault lasts. */
  readonly lasting: number;
  readonly fromTheStart: boolean;
  /** Chance of each kind of fault to be among those that strike. */
  readonly share: number;
  /** Only so many members are well again in the end; undefined: all of them. */
  readonly coreOnly: boolean;
  /** What becomes of the others; undefined: drawn for each. */
  readonly away?: Away;
  /** `watchdog.mode` of all members; undefined: off. */
  readonly watchdog?: WatchdogSettings['mode'] | undefined;
}

/** Draws that belong together, each from the same stream. */
export class Draw {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  static seeded(seed: number): Draw {
    const random = seededRandom(seed);
    return new Draw(() => random.fraction());
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }

  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.#random() * from.length)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }
}

export function drawPlan(draw: Draw, wanted: number | undefined): Plan {
  const drawn = draw.chance(0.6) ? 3 : draw.pick([1, 2, 2, 4, 5, 5]);
  const members = wanted ?? drawn;
  return {
    members,
    dynamic: { ...drawTiming(draw), ...drawPolicy(draw), ...drawSynchronous(draw) },
    tags: drawTags(draw, members),
    keptWalBytes: draw.chance(0.6) ? Infinity : draw.pick([3000, 10_000, 60_000]),
    meanPauseMillis: draw.between(500, 5500),
    faultMillis: draw.between(20_000, 60_000),
    lasting: 1,
    fromTheStart: draw.chance(0.2),
    share: draw.between(0.08, 0.5),
    coreOnly: draw.chance(0.5),
  };
}

const WATCHED_SHARE = 0.2;

/** From a stream of its own, so that a seed without a watchdog is what it was. */
export const drawWatchdog = (draw: Draw): Plan['watchdog'] =>
  draw.chance(WATCHED_SHARE) ? draw.pick(['required', 'required', 'automatic']) : undefined;

const roundTo = (step: number, value: number): number => Math.round(value / step) * step;
const seconds = (millis: number): number => Math.round(millis) / 1000;

/** Times that the shipped check accepts; half of the seeds keep the defaults. */
export function drawTiming(draw: Draw): JsonObject {
  if (draw.chance(0.5)) return {};
  for (;;) {
    const ttlMillis = roundTo(250, draw.between(2000, 10_000));
    const given: Partial<Timing> = {
      ttlMillis,
      heartbeatMillis: roundTo(50, draw.between(200, ttlMillis / 3)),
      fenceBudgetMillis: roundTo(50, draw.between(200, 1000)),
      retryTimeoutMillis: roundTo(100, draw.between(500, ttlMillis)),
      loopWaitMillis: roundTo(100, draw.between(200, 3000)),
    };
    if (checkTiming(timingWithDefaults(given)).length > 0) continue;
    return {
      ttl: seconds(ttlMillis),
      heartbeat: seconds(given.heartbeatMillis ?? 0),
      fence_budget: seconds(given.fenceBudgetMillis ?? 0),
      retry_timeout: seconds(given.retryTimeoutMillis ?? 0),
      loop_wait: seconds(given.loopWaitMillis ?? 0),
    };
  }
}

function drawPolicy(draw: Draw): JsonObject {
  const reclone = draw.chance(0.7);
  return {
    failsafe_mode: draw.chance(0.8),
    maximum_lag_on_failover: draw.pick([1_048_576, 1_048_576, 20_000, 2000]),
    check_timeline: draw.chance(0.2),
    crash_restart_budget: draw.whole(0, 3),
    primary_start_timeout: draw.pick([300, 300, 20, 5, 0]),
    primary_stop_timeout: draw.pick([0, 0, 10, 3]),
    postgresql: {
      use_slots: draw.chance(0.7),
      use_pg_rewind: draw.chance(0.85),
      remove_data_directory_on_rewind_failure: reclone,
      remove_data_directory_on_diverged_timelines: reclone,
    },
  };
}

export function drawSynchronous(draw: Draw): JsonObject {
  if (draw.chance(0.45)) return { synchronous_mode: false };
  return {
    synchronous_mode: draw.pick<true | 'quorum'>([true, 'quorum']),
    synchronous_mode_strict: draw.chance(0.3),
    synchronous_node_count: draw.pick([1, 1, 2]),
  };
}

/** At least one member can always lead, and two where there are more than two. */
function drawTags(draw: Draw, members: number): readonly JsonObject[] {
  const kept = members > 2 ? 2 : 1;
  return Array.from({ length: members }, (_, index): JsonObject => {
    const mayLead = index < kept || draw.chance(0.8);
    return {
      ...(mayLead ? {} : { nofailover: true }),
      ...(draw.chance(0.2) ? { failover_priority: mayLead ? draw.whole(1, 3) : 0 } : {}),
      ...(draw.chance(0.1) ? { nosync: true } : {}),
      ...(draw.chance(0.1) ? { clonefrom: true } : {}),
    };
  });
}

export function describePlan(plan: Plan): string {
  const { dynamic, tags, keptWalBytes } = plan;
  const kept = keptWalBytes === Infinity ? 'all' : `${keptWalBytes} bytes`;
  return [
    `${plan.members} members`,
    `tags ${JSON.stringify(tags)}`,
    `a fault every ${Math.round(plan.meanPauseMillis)} ms for ${Math.round(plan.faultMillis / 1000)} s${plan.fromTheStart ? ' from the start' : ''}`,
    `${kept} of the log kept`,
    ...(plan.coreOnly ? ['a core heals'] : []),
    ...(plan.watchdog === undefined ? [] : [`watchdog ${plan.watchdog}`]),
    JSON.stringify(dynamic),
  ].join(', ');
}
