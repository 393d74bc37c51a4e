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
