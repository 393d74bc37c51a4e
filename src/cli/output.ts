import { stringify } from 'yaml';
import { writeJsonText } from '../wire/rest/json-text.ts';
import type { JsonWritable } from '../wire/rest/json-text.ts';
import { printable } from './text-width.ts';

/** `pretty` for people, the others for programs. */
export const FORMATS = ['pretty', 'tsv', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** A value of a row for programs: text, numbers and what JSON can hold. */
export type Cell = unknown;

/** Reads `--format`; `yml` is another spelling of yaml. Undefined: no such format. */
export function parseFormat(text: string): Format | undefined {
  const name = text === 'yml' ? 'yaml' : text;
  return FORMATS.find((format) => format === name);
}

/**
 * YAML as patronictl prints it: block style, sorted keys, and quoted so that a YAML 1.1 reader
 * (PyYAML) reads back the same: `'on'` stays text.
 */
export function toYaml(value: unknown): string {
  return stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    lineWidth: 200,
    indentSeq: false,
    singleQuote: true,
    aliasDuplicateObjects: false,
  });
}

/** The same on one line: `{clonefrom: true}`. */
export function toFlowYaml(value: unknown): string {
  return stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    collectionStyle: 'flow',
    lineWidth: 0,
    flowCollectionPadding: false,
    singleQuote: true,
    aliasDuplicateObjects: false,
  }).trimEnd();
}

const isEmpty = (cell: Cell): boolean => cell === undefined || cell === null || cell === '';

function tsvCell(cell: Cell): string {
  if (isEmpty(cell)) return '';
  if (typeof cell === 'object') return toFlowYaml(cell).replace(/\s+/g, ' ');
  // A tab or a line end inside a value would shift the columns of whoever reads this.
  const text = typeof cell === 'string' ? cell : writeJsonText(cell as JsonWritable);
  return printable(text).replace(/[\t\n]+/g, ' ');
}

/** Rows for programs. JSON and YAML leave out what is empty; TSV has a line of titles. */
export function formatRows(
  format: Exclude<Format, 'pretty'>,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
): string {
  if (format === 'tsv') {
    return [columns, ...rows].map((row) => `${row.map(tsvCell).join('\t')}\n`).join('');
  }
  const elements = rows.map((row) =>
    Object.fromEntries(
      columns.flatMap((column, index) => (isEmpty(row[index]) ? [] : [[column, row[index]]])),
    ),
  );
  return format === 'json' ? `${writeJsonText(elements as JsonWritable)}\n` : toYaml(elements);
}
