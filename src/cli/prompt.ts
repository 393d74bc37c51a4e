import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { Writable } from 'node:stream';
import type { Result } from '../core/result.ts';
import { failed } from './outcome.ts';
import type { CliFailure } from './outcome.ts';
import type { Terminal } from './terminal.ts';

/** Answers asked for before it is given up: a pipe of nonsense must not loop for ever. */
const MAXIMUM_TRIES = 5;

export interface Prompter {
  /** Whether there is a person to ask. */
  readonly interactive: boolean;
  /** One line; an empty answer takes `preset`, or is asked again when there is none. */
  ask(question: string, preset?: string): Promise<Result<string, CliFailure>>;
  /** `[y/N]`; no is an answer, the end of input or Ctrl-C is a failure. */
  confirm(question: string): Promise<Result<boolean, CliFailure>>;
  /** Gives the terminal back, so that Ctrl-C is a signal again; the next question takes it anew. */
  close(): void;
}

const aborted = failed('aborted', 'Aborted.', 'Nothing was changed.');

/** Lines of a terminal; what is typed ahead waits in `lines` for the next question. */
class LineReader {
  readonly #reader: Interface;
  readonly #screen: Writable;
  readonly #lines: string[];
  #waiting: ((line: string | undefined) => void) | undefined;
  #ended: boolean;

  constructor(terminal: Terminal, lines: string[]) {
    this.#screen = terminal.promptStream;
    this.#lines = lines;
    // readline never tells the end of a stream that had ended before it came.
    this.#ended = terminal.stdin.readableEnded || terminal.stdin.destroyed;
    this.#reader = createInterface({
      input: terminal.stdin,
      output: terminal.promptStream,
      historySize: 0,
    });
    this.#reader.on('line', (line) => this.#take(line));
    this.#reader.on('SIGINT', () => this.#end());
    this.#reader.on('close', () => this.#end());
  }

  #take(line: string): void {
    if (this.#waiting === undefined) this.#lines.push(line);
    else this.#waiting(line);
    this.#waiting = undefined;
  }

  #end(): void {
    this.#ended = true;
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }

  /** The next line, undefined at the end of input or after Ctrl-C. */
  async next(prompt: string): Promise<string | undefined> {
    const typedAhead = this.#lines.shift();
    if (typedAhead !== undefined) {
      this.#screen.write(`${prompt}${typedAhead}\n`);
      return typedAhead;
    }
    if (this.#ended) return undefined;
    this.#reader.setPrompt(prompt);
    this.#reader.prompt();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  close(): void {
    this.#reader.close();
  }
}

/** Asks on stderr, so that stdout stays what the command answers. Opens stdin at the first question only. */
export function createPrompter(terminal: Terminal): Prompter {
  let reader: LineReader | undefined;
  const lines: string[] = [];
  const next = (prompt: string): Promise<string | undefined> => {
    reader ??= new LineReader(terminal, lines);
    return reader.next(prompt);
  };

  async function ask(question: string, preset?: string): Promise<Result<string, CliFailure>> {
    const shown = preset === undefined ? question : `${question} [${preset}]`;
    for (let tries = 0; tries < MAXIMUM_TRIES; tries++) {
      const line = await next(`${shown}: `);
      if (line === undefined) return endOfInput(terminal);
      const answer = line.trim() === '' ? preset : line.trim();
      if (answer !== undefined) return { ok: true, value: answer };
    }
    return aborted;
  }

  async function confirm(question: string): Promise<Result<boolean, CliFailure>> {
    for (let tries = 0; tries < MAXIMUM_TRIES; tries++) {
      const line = await next(`${question} [y/N]: `);
      if (line === undefined) return endOfInput(terminal);
      const answer = line.trim().toLowerCase();
      if (answer === 'y' || answer === 'yes') return { ok: true, value: true };
      if (answer === '' || answer === 'n' || answer === 'no') return { ok: true, value: false };
      terminal.err('Please answer y or n.\n');
    }
    return aborted;
  }

  return {
    interactive: terminal.isTty.stdin,
    ask,
    confirm,
    close() {
      reader?.close();
      reader = undefined;
    },
  };
}

function endOfInput(terminal: Terminal): typeof aborted {
  terminal.err('\n');
  return aborted;
}
