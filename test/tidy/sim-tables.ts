import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from '../cluster/faults/catalogue.ts';
import { CONDITIONS } from '../scenarios/conditions.ts';
import { VERBS } from '../scenarios/verbs.ts';
import type { MarkedTable } from './marked-tables.ts';
import { listFiles, ROOT } from './repository.ts';

/** The tables of test/README.md: the language of the transcripts, and what they tell. */
const code = (text: string): string => `\`${text}\``;

const verbs: MarkedTable = {
  name: 'verbs',
  heading: '## Transcripts',
  columns: ['Done to the cluster'],
  rows: () => VERBS.map(({ form }) => [code(form)]),
};

const conditions: MarkedTable = {
  name: 'conditions',
  heading: '## Transcripts',
  columns: ['Expected of it'],
  rows: () => CONDITIONS.map(({ form }) => [code(form)]),
};

const stories: MarkedTable = {
  name: 'transcripts',
  heading: '## Transcripts',
  columns: ['Transcript', 'What it tells'],
  rows: () =>
    listFiles(/^test\/scenarios\/.*\.txt$/).map((path) => [
      `[${path.replace(/^.*\/|\.txt$/g, '')}](${path.replace('test/', '')})`,
      firstComment(readFileSync(join(ROOT, path), 'utf8')),
    ]),
};

const faults: MarkedTable = {
  name: 'faults',
  heading: '## Faults on real servers',
  columns: ['Fault', 'What is done', 'Seconds in npm test', 'Seconds in npm run chaos'],
  rows: () =>
    FAULTS.map(({ name, what, holdMillis: { short, full } }) => [
      name,
      what,
      String(short / 1000),
      String(full / 1000),
    ]),
};

function firstComment(script: string): string {
  const lines = script.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^# ?/, ''))
    .join(' ');
}

export const SIM_TABLES: readonly MarkedTable[] = [stories, verbs, conditions, faults];
