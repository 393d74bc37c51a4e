import type { PostgresSettings } from '../../core/settings.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/telemetry.ts';
import type { Binaries } from './binaries.ts';

/** What every part of the adapter works with. Settings are read anew at each use: they change. */
export interface Context {
  readonly settings: () => PostgresSettings;
  readonly scope: string;
  readonly memberName: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Private directory of this agent for what outlives it: password file, diverged WAL, markers. */
  readonly stateDir: string;
  readonly binaries: Binaries;
}
