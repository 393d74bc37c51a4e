import type { Ran, Task } from './run-pool.ts';

/** Aim of the simulator on one core. */
const AIM_MINUTES_PER_SECOND = 100;
const DECISIONS_SHOWN = 40;
const STORY = / (FAULT|WORLD|CONSUL) | decision \{| command | answer to |fences|adopts/;

/** Undefined: all was well. */
export const failureOf = ({ outcome, crash }: Ran): string | undefined => crash ?? outcome?.failure;

export const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** What replays a task and tells its story. */
export function replayCommand({ seed, faults, members }: Task): string {
  const only = faults === undefined ? '' : ` --faults ${faults.join(',')}`;
  const so = members === undefined ? '' : ` --members ${members}`;
  return `npm run sim -- --seed ${seed}${only}${so} --trace`;
}

/** A failed seed: its plan, what was violated, how it came to it, what everyone waits for. */
export function describeFailure(ran: Ran): string {
  const { task, outcome } = ran;
  const head = [`seed ${task.seed} FAILED: ${failureOf(ran) ?? ''}`];
  const replay = [`  replay: ${replayCommand(task)}`];
  if (outcome === undefined) return [...head, ...replay].join('\n');
  const story = outcome.lastLines.filter((line) => STORY.test(line)).slice(-DECISIONS_SHOWN);
  const block = (title: string, lines: readonly string[]): string[] => [
    `  ${title}:`,
    ...lines.map((line) => `    ${line}`),
  ];
  return [
    ...head,
    `  plan: ${outcome.plan}`,
    ...block('last decisions and faults', story),
    ...block('what everyone waits for', outcome.state),
    ...replay,
  ].join('\n');
}

/** Adds up the runs as they end; a soak keeps no more of them than this. */
export class Totals {
  readonly #workers: number;
  #seeds = 0;
  #failed = 0;
  #virtualMillis = 0;
  #busyMillis = 0;
  #cpuMillis = 0;
  #events = 0;
  #generations = 0;
  #writes = 0;
  #lost = 0;
  #slowestServed = 0;
  #slowestWhole = 0;

  constructor(workers: number) {
    this.#workers = workers;
  }

  get seeds(): number {
    return this.#seeds;
  }

  get failed(): number {
    return this.#failed;
  }

  add(ran: Ran): void {
    this.#seeds += 1;
    this.#busyMillis += ran.wallMillis;
    this.#cpuMillis += ran.cpuMillis;
    if (failureOf(ran) !== undefined) this.#failed += 1;
    const { outcome } = ran;
    if (outcome === undefined) return;
    this.#virtualMillis += outcome.virtualMillis;
    this.#events += outcome.events;
    this.#generations += outcome.generations;
    this.#writes += outcome.writes;
    this.#lost += outcome.lost;
    this.#slowestServed = Math.max(this.#slowestServed, outcome.servedAfterMillis ?? 0);
    this.#slowestWhole = Math.max(this.#slowestWhole, outcome.wholeAfterMillis ?? 0);
  }

  lines(tookMillis: number): readonly string[] {
    const minutes = this.#virtualMillis / 60_000;
    const seconds = tookMillis / 1000;
    const workers = this.#workers === 1 ? 'one worker' : `${this.#workers} workers`;
    const per = (millis: number): string =>
      (this.#virtualMillis / 60 / Math.max(1, millis)).toFixed(1);
    const inMillis = (millis: number): string => `${Math.round(millis)} ms`;
    return [
      `${this.#seeds} seeds, ${this.#failed} failed`,
      `${minutes.toFixed(1)} cluster-minutes in ${seconds.toFixed(1)} s with ${workers}`,
      `${per(this.#busyMillis)} cluster-minutes per wall second of one worker, ` +
        `${per(this.#cpuMillis)} per second of CPU (aim on one core: ${AIM_MINUTES_PER_SECOND})`,
      `${this.#events} events, ${this.#generations} generations`,
      `${this.#writes} writes acknowledged, ${this.#lost} of them lost in asynchronous replication`,
      `after healing: writes within ${inMillis(this.#slowestServed)}, whole within ${inMillis(this.#slowestWhole)}`,
    ];
  }
}
