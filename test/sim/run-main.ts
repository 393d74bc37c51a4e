import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryOf } from './run-compile.mjs';
import { Groups } from './run-groups.ts';
import { replayFile } from './run-journal.ts';
import { parseRunOptions, USAGE_EXIT } from './run-options.ts';
import type { RunOptions } from './run-options.ts';
import { runTasks } from './run-pool.ts';
import type { Ran, Task } from './run-pool.ts';
import { describeFailure, failureOf, firstLine, Totals } from './run-report.ts';
import { readSeedBook, saveSeeds } from './seeds.ts';
import type { KeptSeed, SeedBook } from './seeds.ts';
import { simulate } from './simulate.ts';

const STANDARD_SEEDS = 500;
const INTERRUPTED_EXIT = 130;
const PROGRESS_EVERY_MILLIS = 60_000;

/** What a run of mutants needs; `test/sim/mutants.ts` exports `runMutants`. */
export interface MutantsRun {
  /** Empty: all. */
  readonly names: readonly string[];
  readonly seeds: RunOptions['seeds'];
  readonly workers: number;
  readonly signal: AbortSignal;
}

const say = (line: string): void => {
  console.log(line);
};

/**
 * The simulator's command line; `build` is where `compile` has put it, `bookPath` the book of seeds.
 * Answers the exit code.
 */
export async function main(
  argv: readonly string[],
  build: string,
  bookPath: string = join(repositoryOf(build), 'test/sim/seeds.json'),
): Promise<number> {
  const parsed = parseRunOptions(argv);
  if (parsed.kind === 'said') return parsed.exitCode;
  const interrupted = new AbortController();
  const onInterrupt = (): void => {
    interrupted.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await runAsTold(parsed.options, { build, bookPath, signal: interrupted.signal });
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

interface Surroundings {
  readonly build: string;
  readonly bookPath: string;
  readonly signal: AbortSignal;
}

async function runAsTold(options: RunOptions, around: Surroundings): Promise<number> {
  if (options.journal !== undefined) return replayFile(options.journal, say);
  if (options.mutants !== undefined)
    return runMutants(around.build, options.mutants, options, around.signal);
  if (options.trace !== undefined && options.seeds !== undefined)
    return tellStory(options.seeds.first, options.trace, options);
  return new SeedRun(options, around).run();
}

async function runMutants(
  build: string,
  names: readonly string[],
  { seeds, workers }: RunOptions,
  signal: AbortSignal,
): Promise<number> {
  const path = join(build, 'test/sim/mutants.js');
  if (!existsSync(path)) {
    console.error('Error: there is no list of mutants: test/sim/mutants.ts is missing');
    return USAGE_EXIT;
  }
  const loaded = (await import(pathToFileURL(path).href)) as {
    readonly runMutants: (run: MutantsRun) => Promise<number>;
  };
  return loaded.runMutants({ names, seeds, workers, signal });
}

/** One seed in this process, line by line. */
async function tellStory(seed: number, to: string, options: RunOptions): Promise<number> {
  const file = to === '-' ? undefined : openSync(to, 'w');
  const task: Task = { seed, faults: options.faults, members: options.members };
  const begunAt = performance.now();
  const begun = process.cpuUsage();
  const outcome = await simulate(seed, {
    kinds: task.faults,
    members: task.members,
    onTrace: (line) => {
      if (file === undefined) say(line);
      else writeSync(file, `${line}\n`);
    },
  });
  if (file !== undefined) closeSync(file);
  const wallMillis = performance.now() - begunAt;
  const { user, system } = process.cpuUsage(begun);
  const cpuMillis = (user + system) / 1000;
  const ran: Ran = { task, outcome, crash: undefined, wallMillis, cpuMillis };
  const totals = new Totals(1);
  totals.add(ran);
  if (outcome.failure !== undefined) say(describeFailure(ran));
  for (const line of totals.lines(wallMillis)) say(line);
  say(`trace ${outcome.hash}${file === undefined ? '' : `, in ${to}`}`);
  return outcome.failure === undefined ? 0 : 1;
}

/** Seeds on worker processes: one, a range, what `npm test` runs, or as many as fit into a time. */
class SeedRun {
  readonly #build: string;
  readonly #options: RunOptions;
  readonly #signal: AbortSignal;
  readonly #bookPath: string;
  readonly #book: SeedBook;
  readonly #open: ReadonlyMap<number, KeptSeed>;
  readonly #totals: Totals;
  readonly #groups = new Groups();
  readonly #failed: KeptSeed[] = [];
  readonly #passedThoughOpen: KeptSeed[] = [];
  #progressAt = performance.now();

  constructor(options: RunOptions, { build, bookPath, signal }: Surroundings) {
    this.#build = build;
    this.#options = options;
    this.#signal = signal;
    this.#bookPath = bookPath;
    this.#book = readSeedBook(bookPath);
    // Whoever asks for one seed, or for other faults, wants to see for himself.
    const asDrawn = options.faults === undefined && options.members === undefined;
    const open = options.single || !asDrawn ? [] : this.#book.open;
    this.#open = new Map(open.map((kept) => [kept.seed, kept]));
    this.#totals = new Totals(options.workers);
  }

  async run(): Promise<number> {
    const begunAt = performance.now();
    await runTasks({
      build: this.#build,
      workers: this.#options.workers,
      tasks: this.#tasks(),
      signal: this.#signal,
      onRan: (ran) => {
        this.#onRan(ran, begunAt);
      },
    });
    this.#summarise(performance.now() - begunAt);
    if (this.#signal.aborted) return INTERRUPTED_EXIT;
    return this.#failed.length + this.#passedThoughOpen.length === 0 ? 0 : 1;
  }

  *#tasks(): Generator<Task> {
    const { seeds, minutes, faults, members } = this.#options;
    if (minutes !== undefined) {
      yield* this.#fresh(minutes);
      return;
    }
    if (seeds === undefined && faults === undefined && members === undefined) {
      yield* this.#book.regressions;
      yield* this.#book.open.filter(({ seed }) => seed > STANDARD_SEEDS || seed < 1);
    }
    const { first, last } = seeds ?? { first: 1, last: STANDARD_SEEDS };
    for (let seed = first; seed <= last; seed += 1)
      yield this.#open.get(seed) ?? { seed, faults, members };
  }

  *#fresh(minutes: number): Generator<Task> {
    const { faults, members } = this.#options;
    // A thousand seeds a second lie between two runs, and the end of the range is years away.
    const first = (Math.floor(Date.now() / 1000) % 4_000_000) * 1000;
    say(`fresh seeds from ${first} for ${minutes} minutes`);
    const end = performance.now() + minutes * 60_000;
    for (let seed = first; performance.now() < end; seed += 1) yield { seed, faults, members };
  }

  #onRan(ran: Ran, begunAt: number): void {
    const failure = failureOf(ran);
    const open = this.#open.get(ran.task.seed);
    if (open !== undefined) {
      this.#onOpen(open, failure);
      return;
    }
    this.#totals.add(ran);
    if (failure !== undefined) this.#onFailure(ran, failure);
    else if (this.#options.single) say(`seed ${ran.task.seed}: trace ${ran.outcome?.hash ?? ''}`);
    if (this.#options.minutes !== undefined) this.#progress(begunAt);
  }

  #onOpen(open: KeptSeed, failure: string | undefined): void {
    if (failure !== undefined) {
      say(`seed ${open.seed} is open (${open.note}): ${firstLine(failure)}`);
      return;
    }
    this.#passedThoughOpen.push(open);
    say(`seed ${open.seed} is open (${open.note}) and passes: move it to regressions`);
  }

  #onFailure(ran: Ran, failure: string): void {
    const { seed, faults, members } = ran.task;
    const only = { ...(faults && { faults }), ...(members !== undefined && { members }) };
    this.#failed.push({ seed, ...only, note: firstLine(failure) });
    const isNew = this.#groups.add(ran);
    if (isNew || this.#options.minutes === undefined) say(describeFailure(ran));
    else say(`seed ${seed} FAILED: ${firstLine(failure)}`);
  }

  #progress(begunAt: number): void {
    const now = performance.now();
    if (now - this.#progressAt < PROGRESS_EVERY_MILLIS) return;
    this.#progressAt = now;
    const minutes = Math.round((now - begunAt) / 60_000);
    say(`after ${minutes} minutes: ${this.#totals.seeds} seeds, ${this.#totals.failed} failed`);
  }

  #summarise(tookMillis: number): void {
    say('');
    for (const line of this.#groups.lines()) say(line);
    for (const line of this.#totals.lines(tookMillis)) say(line);
    const passed = this.#passedThoughOpen.map(({ seed }) => seed);
    if (passed.length > 0)
      say(`open, and passing: ${passed.join(', ')}; move them to regressions in seeds.json`);
    if (this.#failed.length + passed.length === 0) return;
    if (this.#options.save) {
      const { opened, closed } = saveSeeds(this.#bookPath, this.#failed, this.#passedThoughOpen);
      say(`test/sim/seeds.json: ${opened} more open, ${closed} moved to regressions`);
    } else say('--save puts failed seeds into test/sim/seeds.json, and moves those that pass');
  }
}
