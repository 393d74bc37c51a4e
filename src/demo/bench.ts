import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { Millis } from '../core/time.ts';
import type { EventKind, EventOutcome } from './events.ts';
import { begin, conclude, settle, writesAgain } from './events.ts';
import type { Cell, Screen } from './screen.ts';
import { inSeconds } from './screen.ts';
import type { Stack } from './stack.ts';
import { LIMITS } from './stack.ts';
import { percentile } from './statistics.ts';
import { DemoError } from './demo-error.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** File for the figures, or undefined for the table alone. */
  readonly jsonFile: string | undefined;
}

/**
 * An asynchronous standby has everything but the last moments. A lost write that was acknowledged
 * longer than this before the host was lost is a fault; a younger one is the price of that mode.
 */
const ASYNCHRONOUS_WINDOW_MILLIS = 100;

const KINDS: readonly EventKind[] = ['host loss', 'postmaster crash', 'switchover'];

/** Median write gap that each event may cost at most. */
function targetMillis(kind: EventKind, ttlMillis: Millis): Millis {
  switch (kind) {
    case 'host loss':
      return ttlMillis + 500;
    case 'postmaster crash':
      return 1_500;
    case 'switchover':
      return 600;
  }
}

/** One event from a settled cluster to the next settled cluster, at a moment that nobody chose. */
async function oneRound(stack: Stack, kind: EventKind): Promise<EventOutcome> {
  const primary = await settle(stack);
  const begun = await begin(stack, kind, primary);
  switch (kind) {
    case 'host loss':
      await primary.kill();
      break;
    case 'postmaster crash':
      primary.killPostmaster();
      break;
    case 'switchover': {
      const [candidate] = stack.cluster.others(primary);
      if (candidate === undefined) throw new DemoError('a switchover needs a second member');
      await stack.cluster.switchover(primary, candidate, LIMITS.takeoverMillis);
    }
  }
  await writesAgain(stack, begun);
  primary.start();
  return conclude(stack, begun);
}

export interface BenchLine {
  readonly kind: EventKind;
  readonly rounds: number;
  readonly p50Millis: Millis;
  readonly p95Millis: Millis;
  readonly maxMillis: Millis;
  readonly proxiedP50Millis: Millis;
  readonly acknowledged: number;
  /** Lost writes that asynchronous replication explains. */
  readonly lostInWindow: number;
  readonly lostOtherwise: number;
  readonly targetMillis: Millis;
  readonly pass: boolean;
}

/** The figures of one kind of event. Only a lost host may cost writes, and only the very last ones. */
export function summarise(
  kind: EventKind,
  outcomes: readonly EventOutcome[],
  ttlMillis: Millis,
): BenchLine {
  const gaps = outcomes.map((outcome) => outcome.directGapMillis);
  const lost = outcomes.flatMap((outcome) => outcome.lost);
  // A switchover waits for the standby, and a primary that comes back itself has everything.
  const lostInWindow = outcomes
    .filter((outcome) => kind !== 'switchover' && outcome.to !== outcome.from)
    .flatMap((outcome) => outcome.lost)
    .filter(({ beforeEventMillis }) => beforeEventMillis <= ASYNCHRONOUS_WINDOW_MILLIS).length;
  const p50Millis = percentile(gaps, 0.5);
  const target = targetMillis(kind, ttlMillis);
  return {
    kind,
    rounds: outcomes.length,
    p50Millis,
    p95Millis: percentile(gaps, 0.95),
    maxMillis: Math.max(...gaps),
    proxiedP50Millis: percentile(
      outcomes.map((outcome) => outcome.proxiedGapMillis),
      0.5,
    ),
    acknowledged: outcomes.reduce((sum, outcome) => sum + outcome.acknowledged, 0),
    lostInWindow,
    lostOtherwise: lost.length - lostInWindow,
    targetMillis: target,
    pass: p50Millis <= target && lost.length === lostInWindow,
  };
}

function rowOf(line: BenchLine): Cell[] {
  const tone = line.pass ? 'good' : 'bad';
  const right = (text: string): Cell => ({ text, right: true });
  return [
    { text: line.kind },
    right(String(line.rounds)),
    { text: inSeconds(line.p50Millis), right: true, tone },
    right(inSeconds(line.p95Millis)),
    right(inSeconds(line.maxMillis)),
    right(inSeconds(line.targetMillis)),
    right(inSeconds(line.proxiedP50Millis)),
    right(String(line.acknowledged)),
    right(`${line.lostOtherwise} + ${line.lostInWindow}`),
    { text: line.pass ? 'pass' : 'FAIL', tone },
  ];
}

/** Measures every kind of event; answers whether all targets were met. */
export async function benchFailover(
  screen: Screen,
  stack: Stack,
  options: BenchOptions,
): Promise<boolean> {
  const outcomes: EventOutcome[] = [];
  for (const kind of KINDS) {
    for (let round = 1; round <= options.rounds; round += 1) {
      const outcome = await screen.during(
        `${kind}, round ${round} of ${options.rounds}`,
        oneRound(stack, kind),
      );
      outcomes.push(outcome);
      const lost = outcome.lost.length === 0 ? '' : `, ${outcome.lost.length} writes lost`;
      screen.step(
        `${round}/${options.rounds}`,
        `${kind}: ${outcome.from} -> ${outcome.to}, no write for ${inSeconds(outcome.directGapMillis)}` +
          ` (${inSeconds(outcome.proxiedGapMillis)} through HAProxy)${lost}`,
      );
    }
  }
  const lines = KINDS.map((kind) =>
    summarise(
      kind,
      outcomes.filter((outcome) => outcome.kind === kind),
      stack.ttlMillis,
    ),
  );
  screen.table(
    [
      'write gap after',
      'rounds',
      'p50',
      'p95',
      'max',
      'target p50',
      'HAProxy p50',
      'writes',
      'lost',
      '',
    ],
    lines.map(rowOf),
  );
  screen.line(
    `  ttl ${stack.ttlMillis / 1000} s; the client probes every 20 ms. Lost: wrongly + within the last ` +
      `${ASYNCHRONOUS_WINDOW_MILLIS} ms before a loss under asynchronous replication.`,
  );
  if (options.jsonFile !== undefined) {
    const machine = {
      node: process.version,
      cpus: cpus().length,
      memoryBytes: totalmem(),
      measuredAt: new Date().toISOString(),
    };
    const report = { machine, ttlMillis: stack.ttlMillis, lines, outcomes };
    writeFileSync(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
    screen.line(`  figures written to ${options.jsonFile}`);
  }
  return lines.every((line) => line.pass);
}
