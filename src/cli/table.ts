import { cutText, printable, textWidth } from './text-width.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** What goes first when the terminal is too narrow: the highest; absent: never. */
  readonly dropRank?: number;
}

export interface TableOptions {
  /** Stands in the top rule, as in ` Cluster: batman (771…) `. */
  readonly title?: string;
  /** Cells that the terminal has; undefined: not a terminal, nothing is left out. */
  readonly columns: number | undefined;
  /** Applied to a padded cell; must not change its width. */
  readonly paintCell?: (text: string, row: number, title: string) => string;
  readonly paintTitle?: (text: string) => string;
}

export interface TableText {
  readonly lines: readonly string[];
  /** Indexes of the columns that did not fit. */
  readonly hidden: readonly number[];
}

type Row = readonly string[];

const cellLines = (text: string): readonly string[] => printable(text).split('\n');

function columnWidths(columns: readonly Column[], rows: readonly Row[]): number[] {
  return columns.map((column, index) =>
    Math.max(
      textWidth(column.title),
      ...rows.flatMap((row) => cellLines(row[index] ?? '').map(textWidth)),
    ),
  );
}

const totalWidth = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width + 3, 1);

/** Indexes of the columns that stay so that the table fits, dropping by rank. */
function fitting(columns: readonly Column[], rows: readonly Row[], available: number): number[] {
  const widths = columnWidths(columns, rows);
  let kept = columns.map((_, index) => index);
  while (totalWidth(kept.map((index) => widths[index] ?? 0)) > available) {
    const ranked = kept.filter((index) => columns[index]?.dropRank !== undefined);
    if (ranked.length === 0) return kept;
    const highest = Math.max(...ranked.map((index) => columns[index]?.dropRank ?? 0));
    kept = kept.filter((index) => columns[index]?.dropRank !== highest);
  }
  return kept;
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'right' ? fill + text : text + fill;
}

function topRule(rule: string, options: TableOptions): string {
  if (options.title === undefined) return rule;
  const title = cutText(printable(options.title), rule.length - 2);
  const rest = rule.slice(1 + textWidth(title));
  return rule.slice(0, 1) + (options.paintTitle?.(title) ?? title) + rest;
}

function rowLines(
  row: Row,
  number: number | undefined,
  columns: readonly Column[],
  widths: readonly number[],
  options: TableOptions,
): string[] {
  const cells = columns.map((_, index) => cellLines(row[index] ?? ''));
  const height = Math.max(1, ...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = columns.map((column, index) => {
      const padded = pad(cells[index]?.[line] ?? '', widths[index] ?? 0, column.align ?? 'left');
      if (number === undefined) return options.paintTitle?.(padded) ?? padded;
      return options.paintCell?.(padded, number, column.title) ?? padded;
    });
    return `| ${parts.join(' | ')} |`;
  });
}

/** A table in the look of patronictl. A cell with several lines puts rules between all rows. */
export function renderTable(
  allColumns: readonly Column[],
  allRows: readonly Row[],
  options: TableOptions,
): TableText {
  const kept = fitting(allColumns, allRows, options.columns ?? Number.POSITIVE_INFINITY);
  const columns = allColumns.filter((_, index) => kept.includes(index));
  const rows = allRows.map((row) => kept.map((index) => row[index] ?? ''));
  const widths = columnWidths(columns, rows);
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const header = rowLines(
    columns.map((column) => column.title),
    undefined,
    columns,
    widths,
    options,
  );
  const ruled = rows.some((row) => row.some((cell) => cell.includes('\n')));
  const body = rows.flatMap((row, number) => {
    const lines = rowLines(row, number, columns, widths, options);
    return ruled && number < rows.length - 1 ? [...lines, rule] : lines;
  });
  const lines = [topRule(rule, options), ...header, rule, ...body];
  if (rows.length > 0) lines.push(rule);
  const hidden = allColumns.map((_, index) => index).filter((index) => !kept.includes(index));
  return { lines, hidden };
}
