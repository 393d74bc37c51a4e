import { writeFileSync } from 'node:fs';
import { RunDirectory } from '../../src/demo/run-directory.ts';
import { Screen } from '../../src/demo/screen.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { FAULTS } from './faults/catalogue.ts';
import { PURPOSE, whyNoNamespaces } from './namespaces.ts';
import { provisionHosts } from './provision.ts';
import { randomTrials } from './random-faults.ts';
import { describeOutcome, renderReport, reportAsJson } from './report.ts';
import { readOptions, USAGE } from './run-options.ts';
import type { ChaosOptions } from './run-options.ts';
import { Trials } from './trial.ts';
import type { Outcome, TrialOptions } from './trial.ts';

type Wish = Extract<ChaosOptions, { kind: 'named' | 'random' }>;

const EXIT = { passed: 0, failed: 1, usage: 2, interrupted: 130 } as const;

const screen = new Screen(process.stdout, process.env);

function* namedTrials(wish: Extract<Wish, { kind: 'named' }>): Generator<TrialOptions> {
  for (const name of wish.names) {
    const fault = FAULTS.find((each) => each.name === name);
    if (fault === undefined) continue;
    const impossible = fault.impossible?.();
    if (impossible !== undefined) {
      screen.line(`NOT TRIED: ${name}: ${impossible}`);
      continue;
    }
    for (let round = 0; round < wish.rounds; round += 1) {
      yield {
        faults: [{ fault, afterMillis: 0 }],
        holdMillis: wish.holdMillis ?? fault.holdMillis[wish.short ? 'short' : 'full'],
      };
    }
  }
}

function* within(minutes: number, trials: Iterable<TrialOptions>): Generator<TrialOptions> {
  const end = performance.now() + minutes * 60_000;
  for (const trial of trials) {
    if (performance.now() >= end) return;
    yield trial;
  }
}

const trialsOf = (wish: Wish): Iterable<TrialOptions> =>
  wish.kind === 'named' ? namedTrials(wish) : within(wish.minutes, randomTrials(wish.seed));

/** One run; what it found so far is told however it ends. */
class ChaosRun {
  readonly #wish: Wish;
  readonly #outcomes: Outcome[] = [];
  #broken = false;

  constructor(wish: Wish) {
    this.#wish = wish;
  }

  get passed(): boolean {
    return !this.#broken && this.#outcomes.every(({ found }) => found.length === 0);
  }

  async run(directory: RunDirectory): Promise<void> {
    try {
      const cluster = await screen.during(
        'starting three hosts',
        ChaosCluster.start(directory, this.#wish.synchronousMode),
      );
      screen.step(
        'cluster',
        'three hosts: Consul, agent and PostgreSQL on each; all are written to',
      );
      const trials = new Trials(cluster);
      for (const trial of trialsOf(this.#wish)) await this.#try(trials, trial);
    } catch (error) {
      this.#broken = true;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      screen.line(screen.paint('bad', `BROKEN: ${text}`));
    }
    if (!this.passed || this.#wish.keepLogs) directory.keepLogs();
  }

  async #try(trials: Trials, trial: TrialOptions): Promise<void> {
    const names = trial.faults.map(({ fault }) => fault.name).join(' + ');
    screen.step('begin', `${names}, for ${(trial.holdMillis / 1000).toFixed(1)} s at most`);
    const outcome = await screen.during(names, trials.run(trial));
    this.#outcomes.push(outcome);
    const tone = outcome.found.length === 0 ? 'plain' : 'bad';
    screen.step(tone === 'bad' ? 'FAILED' : 'passed', describeOutcome(outcome), tone);
  }

  tell(): void {
    const wish = this.#wish;
    const { synchronousMode } = wish;
    const drawn = wish.kind === 'random' ? { seed: wish.seed, minutes: wish.minutes } : {};
    const about = { synchronousMode, ...drawn };
    if (this.#outcomes.length > 0) {
      screen.line();
      const paint = screen.paint.bind(screen);
      for (const line of renderReport(this.#outcomes, paint)) screen.line(`  ${line}`);
      screen.line();
      screen.line(
        '  lost: acknowledged, not in the final primary. stale: acknowledged by a superseded',
      );
      screen.line(
        '  primary after its successor. gap: no write acknowledged that is kept. machine: how',
      );
      screen.line('  long this program waited for its turn at most, as the agents may have.');
    }
    if (wish.kind === 'random') screen.line(`  seed ${wish.seed}`);
    if (wish.jsonFile !== undefined)
      writeFileSync(wish.jsonFile, reportAsJson(this.#outcomes, about));
  }
}

function listFaults(): void {
  for (const { name, what, impossible } of FAULTS) {
    screen.line(`${name.padEnd(40)} ${what}`);
    const why = impossible?.();
    if (why !== undefined) screen.line(`${''.padEnd(40)} (cannot be tried here: ${why})`);
  }
}

async function runChaos(wish: Wish): Promise<number> {
  await provisionHosts((line) => {
    screen.line(`- ${line}`);
  });
  const why = whyNoNamespaces();
  if (why !== undefined) {
    screen.line(`Error: no hosts can be made here: ${why}`);
    return EXIT.failed;
  }
  const run = new ChaosRun(wish);
  const directory = new RunDirectory(PURPOSE, () => {
    screen.line();
    run.tell();
    if (!run.passed || wish.keepLogs) directory.keepLogs();
    directory.remove();
    screen.line('Interrupted. All processes were ended, all namespaces and files removed.');
    if (!run.passed || wish.keepLogs) screen.line(`logs of everything: ${directory.logs}`);
    process.exit(EXIT.interrupted);
  });
  await run.run(directory);
  run.tell();
  directory.remove();
  if (!run.passed) screen.line('FAILED');
  if (!run.passed || wish.keepLogs) screen.line(`logs of everything: ${directory.logs}`);
  return run.passed ? EXIT.passed : EXIT.failed;
}

/** The command line of `npm run chaos`; answers the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let options: ChaosOptions;
  try {
    options = readOptions(args, Date.now());
  } catch (error) {
    screen.line(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (options.kind === 'help') {
    screen.line(USAGE);
    return EXIT.passed;
  }
  if (options.kind === 'list') {
    listFaults();
    return EXIT.passed;
  }
  return runChaos(options);
}
