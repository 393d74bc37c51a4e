import type { JsonObject } from '../core/json.ts';
import type { Millis } from '../core/time.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One event, one line; fields, not prose. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Counts and durations of one agent; names without prefix, declared in src/telemetry/metrics.ts. */
export interface Meter {
  count(name: string, labels?: Readonly<Record<string, string>>): void;
  observe(name: string, durationMillis: Millis, labels?: Readonly<Record<string, string>>): void;
}

/** Journal of decisions, one JSON value each: what replay and post-mortem read. */
export interface Journal {
  record(entry: JsonObject): void;
}
