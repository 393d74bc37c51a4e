import { styleText } from 'node:util';
import type { Millis } from '../core/time.ts';

export type Tone = 'good' | 'bad' | 'plain';

/** A table cell; numbers stand on the right. */
export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
  readonly right?: boolean;
}

const LABEL_WIDTH = 12;
const CLEAR_LINE = '\r\u001B[2K';

export const inSeconds = (millis: Millis): string => `${(millis / 1000).toFixed(2)} s`;

const STYLES = { good: 'green', bad: 'red', strong: 'bold', dim: 'dim' } as const;

/** Lines of a report as text: columns aligned, colours left to `paint`. */
export function layOutTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: (style: Tone | 'strong', text: string) => string,
): string[] {
  const isRight = (column: number): boolean => rows[0]?.[column]?.right === true;
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.text.length ?? 0)),
  );
  const pad = (text: string, column: number): string =>
    isRight(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  return [
    header.map((title, column) => paint('strong', pad(title, column))).join('  '),
    ...rows.map((row) =>
      row
        .map((cell, column) => paint(cell.tone ?? 'plain', pad(cell.text, column)))
        .join('  ')
        .trimEnd(),
    ),
  ];
}

/** What the demo shows: one line a step with the time, one line that changes while something is waited for. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #isTerminal: boolean;
  readonly #startedAtMillis = performance.now();
  #changing = false;

  constructor(out: NodeJS.WriteStream, environment: NodeJS.ProcessEnv) {
    this.#out = out;
    this.#isTerminal = out.isTTY && environment['TERM'] !== 'dumb';
    this.#colours = this.#isTerminal && (environment['NO_COLOR'] ?? '') === '';
  }

  readonly #colours: boolean;

  paint(style: Tone | keyof typeof STYLES, text: string): string {
    // The stream was looked at above; styleText itself would look at another one.
    if (!this.#colours || style === 'plain') return text;
    return styleText(STYLES[style], text, { validateStream: false });
  }

  line(text = ''): void {
    this.#out.write(`${this.#changing ? CLEAR_LINE : ''}${text}\n`);
    this.#changing = false;
  }

  title(text: string): void {
    this.line(this.paint('strong', text));
    this.line();
  }

  /** `  12.3 s  label       text` */
  step(label: string, text: string, tone: Tone = 'plain'): void {
    const seconds = ((performance.now() - this.#startedAtMillis) / 1000).toFixed(1).padStart(6);
    const time = this.paint('dim', `${seconds} s`);
    this.line(`${time}  ${label.padEnd(LABEL_WIDTH)} ${this.paint(tone, text)}`);
  }

  /** A line that the next one replaces; only where lines can be replaced. */
  waiting(text: string): void {
    if (!this.#isTerminal) return;
    const width = this.#out.columns > 0 ? this.#out.columns - 1 : 79;
    this.#out.write(`${CLEAR_LINE}${this.paint('dim', `          ${text}`.slice(0, width))}`);
    this.#changing = true;
  }

  table(header: readonly string[], rows: readonly (readonly Cell[])[]): void {
    this.line();
    for (const line of layOutTable(header, rows, (style, text) => this.paint(style, text))) {
      this.line(`  ${line}`);
    }
    this.line();
  }

  /** Shows how long `work` has been waited for, until it ends. */
  async during<T>(text: string, work: Promise<T>): Promise<T> {
    const since = performance.now();
    const show = (): void => {
      this.waiting(`${text} … ${((performance.now() - since) / 1000).toFixed(0)} s`);
    };
    show();
    const timer = setInterval(show, 1000);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }
}
