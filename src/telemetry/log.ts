import { Writable } from 'node:stream';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { Secret } from '../core/secret.ts';
import type { LogSettings } from '../core/service-settings.ts';
import type { Logger } from '../ports/telemetry.ts';
import { hiderOf } from './known-secrets.ts';
import { redact, redactText } from './redact.ts';
import { RotatingFile } from './rotating-file.ts';

/** Lines a slow reader of our output may owe us, in bytes; beyond, lines are lost, never time. */
const LONGEST_BACKLOG_BYTES = 4_194_304;
const LOG_FILE = 'pgbaton.log';
const DEFAULT_FILE_MODE = 0o640;

export interface LogOptions {
  readonly scope: string;
  readonly name: string;
  readonly settings: LogSettings;
  /** Where lines go instead of the standard output or a file; for tests. */
  readonly output?: Writable | undefined;
}

export interface AgentLogger extends Logger {
  /** From now on; for a reload of the configuration. */
  setLevel(level: LogSettings['level']): void;
  /** From now on no line shows any of these, whoever wrote it, nor those given before. */
  hide(secrets: readonly Secret[]): void;
  /** Answers when what was logged has been handed over, as far as the reader takes it. */
  flush(): Promise<void>;
}

interface Sink {
  readonly stream: DestinationStream;
  readonly flush: () => Promise<void>;
  readonly isTerminal: boolean;
}

function fileSink(settings: LogSettings, dir: string): Sink {
  const file = new RotatingFile({
    path: `${dir}/${LOG_FILE}`,
    maxBytes: settings.fileSizeBytes,
    keep: Math.max(1, settings.fileCount),
    mode: settings.fileMode ?? DEFAULT_FILE_MODE,
    onFailure: (error) => {
      process.stderr.write(`pgbaton: cannot write the log file: ${redactText(String(error))}\n`);
    },
  });
  return {
    stream: { write: (line) => file.write(line.trimEnd()) },
    flush: () => file.flush(),
    isTerminal: false,
  };
}

/** Never blocks: an agent that waits for the reader of its log loses its lease. */
function standardOutput(): Sink {
  const stream = pino.destination({ fd: 1, sync: false, maxLength: LONGEST_BACKLOG_BYTES });
  return {
    stream,
    flush: () =>
      new Promise((resolve) => {
        stream.flush(() => {
          resolve();
        });
      }),
    isTerminal: process.stdout.isTTY,
  };
}

function outputSink(output: Writable): Sink {
  return {
    stream: output,
    flush: () =>
      new Promise((resolve) => {
        output.write('', () => {
          resolve();
        });
      }),
    isTerminal: false,
  };
}

/** Lines for people. Loaded only when asked for: it costs memory that most agents do not need. */
async function prettySink(sink: Sink): Promise<Sink> {
  const { default: pretty } = await import('pino-pretty');
  const lines = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      sink.stream.write(chunk);
      callback();
    },
  });
  const stream = pretty({
    destination: lines,
    colorize: sink.isTerminal,
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
    ignore: 'pid,hostname,scope,name',
  });
  return { ...sink, stream };
}

async function openSink({ output, settings }: LogOptions): Promise<Sink> {
  if (output !== undefined) return outputSink(output);
  return settings.dir === undefined ? standardOutput() : fileSink(settings, settings.dir);
}

function write(target: PinoLogger, ...[level, message, fields]: Parameters<Logger['log']>): void {
  if (!target.isLevelEnabled(level)) return;
  const text = redactText(message);
  if (fields === undefined) target[level](text);
  else target[level](redact(fields), text);
}

/**
 * The log of one agent, on the standard output or in a file that is rotated: JSON lines
 * (`log.type: json`) or lines for people (`plain`), which a terminal gets unless told otherwise.
 */
export async function createLogger(options: LogOptions): Promise<AgentLogger> {
  const { settings } = options;
  const raw = await openSink(options);
  const type = settings.type ?? (raw.isTerminal ? 'plain' : 'json');
  const sink = type === 'json' ? raw : await prettySink(raw);
  const secrets: Secret[] = [];
  let hidden = hiderOf(secrets);
  const target = pino(
    {
      level: settings.level,
      base: { scope: options.scope, name: options.name, ...settings.staticFields },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'msg',
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink.stream.write(hidden(line)) },
  );
  return {
    log: (level, message, fields) => {
      write(target, level, message, fields);
    },
    hide: (more) => {
      secrets.push(...more.filter((one) => !secrets.some((known) => known.equals(one))));
      hidden = hiderOf(secrets);
    },
    setLevel: (level) => {
      target.level = level;
    },
    flush: sink.flush,
  };
}
