import { cpus } from 'node:os';
import type { Cell } from '../../src/demo/screen.ts';
import { inSeconds, layOutTable } from '../../src/demo/screen.ts';
import { percentile } from '../../src/demo/statistics.ts';
import type { Measures } from './measure.ts';
import type { Outcome } from './trial.ts';

type Number = (outcome: Outcome) => number;

const wrong = (
  of: (measures: Measures) => Measures['lost'],
  outcomes: readonly Outcome[],
): string => {
  const all = outcomes.map(({ measures }) => of(measures));
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const spanMillis = Math.max(...all.map((each) => each.spanMillis));
  return count === 0 ? '0' : `${count} in ${inSeconds(spanMillis)}`;
};

const worst = (of: Number, outcomes: readonly Outcome[]): string =>
  inSeconds(Math.max(...outcomes.map(of)));

const median = (of: Number, outcomes: readonly Outcome[]): string =>
  inSeconds(percentile(outcomes.map(of), 0.5));

const HEADER = [
  'fault',
  'rounds',
  'lost',
  'stale',
  'gap p50',
  'gap max',
  'app gap max',
  'generations',
  'whole again',
  'held',
  'machine',
  '',
];

function rowOf(name: string, outcomes: readonly Outcome[]): Cell[] {
  const passed = outcomes.every(({ found }) => found.length === 0);
  const right = (text: string): Cell => ({ text, right: true });
  const generations = outcomes.map((outcome) => outcome.generations);
  return [
    { text: name },
    right(String(outcomes.length)),
    right(wrong(({ lost }) => lost, outcomes)),
    right(wrong(({ stale }) => stale, outcomes)),
    right(median(({ measures }) => measures.gapMillis, outcomes)),
    right(worst(({ measures }) => measures.gapMillis, outcomes)),
    right(worst(({ measures }) => measures.applicationGapMillis, outcomes)),
    right([...new Set(generations)].sort((a, b) => a - b).join(', ')),
    right(worst(({ wholeMillis }) => wholeMillis, outcomes)),
    right(worst(({ heldMillis }) => heldMillis, outcomes)),
    right(worst(({ machineMillis }) => machineMillis, outcomes)),
    passed ? { text: 'pass', tone: 'good' } : { text: 'FAIL', tone: 'bad' },
  ];
}

/** The table of all trials, one line for each fault or pair of faults. */
export function renderReport(
  outcomes: readonly Outcome[],
  paint: (style: 'good' | 'bad' | 'plain' | 'strong', text: string) => string,
): string[] {
  const names = [...new Set(outcomes.map(({ faults }) => faults.join(' + ')))];
  const rows = names.map((name) =>
    rowOf(
      name,
      outcomes.filter(({ faults }) => faults.join(' + ') === name),
    ),
  );
  return layOutTable(HEADER, rows, paint);
}

/** One line about one trial, and what is wrong with it. */
export function describeOutcome(outcome: Outcome): string {
  const { measures, from, to } = outcome;
  const text = [
    `${outcome.faults.join(' + ')}: ${from === to ? `${from} stays` : `${from} -> ${to}`}`,
    `no write for ${inSeconds(measures.gapMillis)}`,
    `${measures.lost.count} lost, ${measures.stale.count} stale`,
    `whole again after ${inSeconds(outcome.wholeMillis)}`,
    `machine late by ${inSeconds(outcome.machineMillis)}`,
  ].join(', ');
  return [
    text,
    ...outcome.notBegun.map((why) => `  not begun: ${why}`),
    ...outcome.found.map((found) => `  WRONG: ${found}`),
  ].join('\n');
}

/** All figures, for machines. */
export function reportAsJson(outcomes: readonly Outcome[], about: object): string {
  const machine = {
    node: process.version,
    cpus: cpus().length,
    measuredAt: new Date().toISOString(),
  };
  return `${JSON.stringify({ machine, ...about, outcomes }, null, 2)}\n`;
}
