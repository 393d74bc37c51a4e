import type { JsonObject } from '../core/json.ts';
import type { Logger } from '../ports/telemetry.ts';
import { RotatingFile } from './rotating-file.ts';

/** Where entries go: one JSON value each. Recording never waits and never fails. */
export interface Journal {
  record(entry: JsonObject): void;
}

export interface JournalOptions {
  readonly path: string;
  /** The current file and one older one of at most this size are kept. */
  readonly maxBytes: number;
  readonly logger: Logger;
}

export interface FileJournal extends Journal {
  /** Answers when everything recorded is on disk, or lost. */
  close(): Promise<void>;
}

/** One JSON value a line. Recording never waits and never fails the caller. */
export function createJournal(options: JournalOptions): FileJournal {
  const file = new RotatingFile({
    path: options.path,
    maxBytes: options.maxBytes,
    keep: 1,
    mode: 0o600,
    onFailure: (error) => {
      options.logger.log('warn', 'decisions are not being journaled', { error });
    },
  });
  return {
    record(entry: JsonObject) {
      file.write(JSON.stringify(entry));
    },
    close: () => file.flush(),
  };
}
