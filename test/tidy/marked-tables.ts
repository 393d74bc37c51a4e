import { format } from 'prettier';

/**
 * Tables of a Markdown file that are made from constants of the code. Each stands between
 * `<!-- table:name -->` and `<!-- /table -->`, under its own heading.
 */
export interface MarkedTable {
  readonly name: string;
  /** For example `## Rules`. */
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: () => readonly (readonly string[])[];
}

const END = '<!-- /table -->';
const begin = (table: MarkedTable): string => `<!-- table:${table.name} -->`;

const cell = (text: string): string => text.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ');
const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;

/** Formatted like every Markdown file here, so that the formatter leaves it alone. */
export async function render(table: MarkedTable): Promise<string> {
  const rows = [table.columns, table.columns.map(() => '---'), ...table.rows()];
  const text = rows.map(line).join('\n');
  return (await format(text, { parser: 'markdown', printWidth: 100, singleQuote: true })).trim();
}

interface Place {
  readonly from: number;
  readonly to: number;
}

/** Where the table is, or what is wrong with where it ought to be. */
function placeOf(markdown: string, table: MarkedTable): Place | string {
  const heading = markdown.search(new RegExp(`^${table.heading}$`, 'm'));
  if (heading < 0) return `the heading "${table.heading}" is missing`;
  const after = markdown.slice(heading + table.heading.length);
  const section = after.search(/^#{1,2} /m);
  const end = section < 0 ? markdown.length : heading + table.heading.length + section;
  const from = markdown.indexOf(begin(table), heading);
  if (from < 0 || from >= end) return `"${begin(table)}" is missing under "${table.heading}"`;
  const to = markdown.indexOf(END, from);
  return to < 0 || to >= end
    ? `"${END}" is missing after "${begin(table)}"`
    : { from: from + begin(table).length, to };
}

/** What is in the file and not in the code, and the other way round; empty when they agree. */
export async function faultsOf(markdown: string, table: MarkedTable): Promise<readonly string[]> {
  const place = placeOf(markdown, table);
  if (typeof place === 'string') return [place];
  const written = markdown.slice(place.from, place.to).trim();
  const wanted = await render(table);
  if (written === wanted) return [];
  const rows = (text: string): readonly string[] =>
    text
      .split('\n')
      .filter((row) => row !== '')
      .map((row) => row.replace(/ +/g, ' ').replace(/-+/g, '-'));
  const [is, should] = [new Set(rows(written)), new Set(rows(wanted))];
  const missing = [...should].filter((row) => !is.has(row)).map((row) => `missing:  ${row}`);
  const wrong = [...is].filter((row) => !should.has(row)).map((row) => `in excess: ${row}`);
  const differences = [...missing, ...wrong];
  return differences.length > 0 ? differences : ['the order or the layout of the rows differs'];
}

/** The file with its tables as the code has them; those without a place are left out. */
export async function fill(markdown: string, tables: readonly MarkedTable[]): Promise<string> {
  let filled = markdown;
  for (const table of tables) {
    const place = placeOf(filled, table);
    if (typeof place === 'string') continue;
    const before = filled.slice(0, place.from);
    filled = `${before}\n\n${await render(table)}\n\n${filled.slice(place.to)}`;
  }
  return filled;
}
