import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Terminal } from './terminal.ts';

const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
/** To the top left; what a shorter screen leaves over is cleared line by line, so nothing flickers. */
const HOME = '\u001B[H';
const CLEAR_REST_OF_LINE = '\u001B[K';
const CLEAR_REST_OF_SCREEN = '\u001B[J';
const CLEAR_SCREEN = '\u001B[2J';

export interface WatchOptions {
  readonly intervalMillis: number;
  /** One screenful; never throws, shows its failures. */
  readonly screen: () => Promise<string>;
}

/**
 * Draws again and again until Ctrl-C or until the reader has gone. Without a terminal it appends
 * screen after screen, separated by an empty line, without any escape sequence.
 */
export async function watchScreen(terminal: Terminal, options: WatchOptions): Promise<void> {
  const stop = new AbortController();
  const unsubscribe = terminal.onInterrupt(() => stop.abort());
  const stopped = once(stop.signal, 'abort').then(() => undefined);
  const drawing = terminal.isTty.stdout;
  if (drawing) terminal.out(HIDE_CURSOR + CLEAR_SCREEN);
  try {
    while (!stop.signal.aborted && !terminal.outputClosed()) {
      const text = await Promise.race([options.screen(), stopped]);
      if (text === undefined) break;
      terminal.out(drawing ? redraw(text) : `${text}\n`);
      await terminal.flush();
      await delay(options.intervalMillis, undefined, { signal: stop.signal }).catch(
        () => undefined,
      );
    }
  } finally {
    unsubscribe();
    // The terminal echoes ^C where the cursor stands; the shell's prompt comes below it.
    if (drawing) terminal.out(`${SHOW_CURSOR}\n`);
    await terminal.flush();
  }
}

function redraw(text: string): string {
  const lines = text.replaceAll('\n', `${CLEAR_REST_OF_LINE}\n`);
  return HOME + lines + CLEAR_REST_OF_SCREEN;
}
