import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Millis } from '../../src/core/time.ts';
import { pause } from '../../src/demo/wait.ts';
import type { ChaosCluster } from './chaos-cluster.ts';
import type { Allowance, Fault, Heal, Scene } from './fault.ts';
import type { Host } from './host.ts';
import { keyOf, measure } from './measure.ts';
import type { Measures, RowKey } from './measure.ts';
import { faultsFound } from './verdict.ts';

interface Timed {
  readonly fault: Fault;
  /** After the beginning of the one before. */
  readonly afterMillis: Millis;
}

export interface TrialOptions {
  readonly faults: readonly Timed[];
  readonly holdMillis: Millis;
}

export interface Outcome {
  readonly faults: readonly string[];
  /** The second of two, where the first left nothing to do it to, and why. */
  readonly notBegun: readonly string[];
  readonly heldMillis: Millis;
  readonly from: string;
  readonly to: string;
  readonly generations: number;
  /** From the repair until all members streamed again and writes were served. */
  readonly wholeMillis: Millis;
  /**
   * How long this program itself had to wait for its turn, at most. The same happens to the agents: what
   * is measured on a machine where that is long says more about the machine.
   */
  readonly machineMillis: Millis;
  readonly measures: Measures;
  readonly allowance: Allowance;
  /** What was worse than allowed, in words; empty when it passed. */
  readonly found: readonly string[];
}

/** As long as a lease and what is on its way. */
const PAIR_LOST_SPAN_MILLIS = 3_100;
const LOOK_INTERVAL_MILLIS = 50;
const DELAY_RESOLUTION_MILLIS = 10;
/** After somebody else has taken over, so that a former primary that wakes up late is seen. */
const DWELL_MILLIS = 1_000;

/**
 * Faults at once: each may cost a leader, and what a standby that lags does not have is lost with its
 * primary. That two take writes is never allowed.
 */
export function combined(faults: readonly Fault[]): Allowance {
  const allowances = faults.map(({ allowance }) => allowance);
  const [only] = allowances;
  if (only !== undefined && allowances.length === 1) return only;
  const most = allowances.reduce((sum, { generations }) => sum + generations[1], 0);
  return {
    generations: [0, most + allowances.length],
    gapMillis: undefined,
    lostSpanMillis: PAIR_LOST_SPAN_MILLIS,
    staleSpanMillis: Math.max(...allowances.map(({ staleSpanMillis }) => staleSpanMillis)),
  };
}

/** Where standbys have acknowledged every commit none is lost, and commits wait while they cannot. */
const withoutLoss = (allowance: Allowance): Allowance => ({
  ...allowance,
  gapMillis: undefined,
  lostSpanMillis: 0,
  staleSpanMillis: 0,
});

/** Does things to one cluster, one trial after the other, and holds each to what it may cost. */
export class Trials {
  readonly #cluster: ChaosCluster;
  readonly #knownLost = new Set<RowKey>();

  constructor(cluster: ChaosCluster) {
    this.#cluster = cluster;
  }

  /** Throws when the cluster does not become whole again; then nothing more can be tried on it. */
  async run({ faults, holdMillis }: TrialOptions): Promise<Outcome> {
    const cluster = this.#cluster;
    await cluster.whenConsulIsWhole();
    const primary = await cluster.settle();
    const before = await cluster.generation();
    const timeline = cluster.witness.newestTimeline;
    const machine = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MILLIS });
    machine.enable();
    const fromMillis = performance.now();
    const heals: Heal[] = [];
    const notBegun: string[] = [];
    for (const [index, { fault, afterMillis }] of faults.entries()) {
      await pause(afterMillis);
      try {
        heals.push(await fault.begin(await this.#scene(primary)));
      } catch (error) {
        // What was done first may leave nothing to do it to, such as a guardian that is gone.
        if (index === 0) throw error;
        notBegun.push(`${fault.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const begunAt = performance.now();
    const endsEarly = faults.some(({ fault }) => fault.untilSucceeded === true);
    await this.#hold(holdMillis, () => endsEarly && cluster.witness.newestTimeline > timeline);
    const resumedAtMillis = performance.now();
    // At once: a switchover may be waiting for the other to be repaired.
    await Promise.all(heals.toReversed().map(async (heal) => heal()));
    const final = await cluster.settle();
    const untilMillis = performance.now();
    machine.disable();
    const measures = await this.#measure(final, { fromMillis, untilMillis, resumedAtMillis });
    const after = await cluster.generation();
    const generations = after.n - before.n;
    const allowed = combined(faults.map(({ fault }) => fault));
    const allowance = cluster.synchronousMode === 'off' ? allowed : withoutLoss(allowed);
    const machineMillis = machine.max / 1e6 - DELAY_RESOLUTION_MILLIS;
    return {
      faults: faults.map(({ fault }) => fault.name),
      notBegun,
      heldMillis: resumedAtMillis - begunAt,
      from: primary.name,
      to: final.name,
      generations,
      wholeMillis: untilMillis - resumedAtMillis,
      machineMillis,
      measures,
      allowance,
      found: faultsFound(allowance, generations, measures, machineMillis),
    };
  }

  /** A second fault is done to whoever leads by then, or to the one that did when nobody does. */
  async #scene(first: Host): Promise<Scene> {
    const primary = (await this.#cluster.primary()) ?? first;
    return { cluster: this.#cluster, primary, standbys: this.#cluster.others(primary) };
  }

  async #hold(holdMillis: Millis, isSucceeded: () => boolean): Promise<void> {
    const end = performance.now() + holdMillis;
    while (performance.now() < end) {
      if (isSucceeded()) {
        await pause(DWELL_MILLIS);
        return;
      }
      await pause(Math.min(LOOK_INTERVAL_MILLIS, Math.max(1, end - performance.now())));
    }
  }

  async #measure(
    final: Host,
    times: { fromMillis: Millis; untilMillis: Millis; resumedAtMillis: Millis },
  ): Promise<Measures> {
    const { witness } = this.#cluster;
    const all = witness.since(-Infinity).filter(({ atMillis }) => atMillis <= times.untilMillis);
    const rows = await witness.rowsOf(final);
    const measures = measure({
      ...times,
      acknowledged: all.filter(({ atMillis }) => atMillis >= times.fromMillis),
      earlier: all.filter(
        (write) => write.atMillis < times.fromMillis && !this.#knownLost.has(keyOf(write)),
      ),
      rows,
      application: witness.application,
    });
    for (const write of all) if (!rows.has(keyOf(write))) this.#knownLost.add(keyOf(write));
    return measures;
  }
}
