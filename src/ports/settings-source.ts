import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import type { Settings } from '../core/settings.ts';

/** Local configuration merged with the dynamic one. */
export interface SettingsSource {
  current(): Settings;
  /** The `config` key as last read; undefined: there is none, the last one known is kept. Invalid parts fall back to defaults with a warning. */
  applyDynamic(dynamic: JsonObject | undefined): Settings;
  /** Reads the local files again; on an error the old settings stay. */
  reload(): Promise<Result<Settings>>;
  /** Checks a new dynamic configuration as a whole, for REST and CLI. */
  validateDynamic(dynamic: JsonObject): Result<{ readonly warnings: readonly string[] }>;
}
