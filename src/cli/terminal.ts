import type { Readable, Writable } from 'node:stream';

/** Everything a command reads from or writes to a person or the process around it. */
export interface Terminal {
  readonly stdin: Readable;
  readonly isTty: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to stdout; after the reader has gone (EPIPE) it does nothing. */
  out(text: string): void;
  /** Writes to stderr. */
  err(text: string): void;
  /** Where prompts are drawn. */
  readonly promptStream: Writable;
  /** True once the reader of stdout has gone. */
  outputClosed(): boolean;
  /** Size of the terminal on stdout; undefined when stdout is none, or it is not known. */
  size(): { readonly columns: number; readonly rows: number } | undefined;
  /** Ctrl-C while no prompt is open. Returns the function that stops listening. */
  onInterrupt(listener: () => void): () => void;
  /** All of stdin as text, at most `limitBytes`. */
  readStdin(limitBytes: number): Promise<string | undefined>;
  /** Resolves when what was written has been handed to the operating system. */
  flush(): Promise<void>;
}

export interface TerminalStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Subscribes to SIGINT; returns the function that unsubscribes. */
  readonly onInterrupt: (listener: () => void) => () => void;
}

async function readAll(stdin: Readable, limitBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > limitBytes) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const drained = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write('', () => resolve());
  });

/** A terminal over given streams: the process's own, or those of a test. */
export function createTerminal(streams: TerminalStreams): Terminal {
  let outputClosed = false;
  // `pgbaton list | head -1` closes our stdout; that is the reader's right and no failure of ours.
  streams.stdout.on('error', () => {
    outputClosed = true;
  });
  streams.stderr.on('error', () => undefined);
  return {
    stdin: streams.stdin,
    isTty: {
      stdin: streams.stdin.isTTY === true,
      stdout: streams.stdout.isTTY === true,
      stderr: streams.stderr.isTTY === true,
    },
    env: streams.env,
    promptStream: streams.stderr,
    out(text) {
      if (!outputClosed) streams.stdout.write(text);
    },
    err(text) {
      streams.stderr.write(text);
    },
    outputClosed: () => outputClosed,
    size() {
      const { isTTY, columns, rows } = streams.stdout;
      // A terminal of a script or of a container has no size: 0 columns are no narrow ones.
      if (isTTY !== true || columns === undefined || columns === 0) return undefined;
      return { columns, rows: rows ?? 24 };
    },
    onInterrupt: streams.onInterrupt,
    readStdin: (limitBytes) => readAll(streams.stdin, limitBytes),
    async flush() {
      await Promise.all([
        outputClosed ? undefined : drained(streams.stdout),
        drained(streams.stderr),
      ]);
    },
  };
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return createTerminal({
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
  });
}
