import type { Result } from '../core/result.ts';
import type {
  ConsulSettings,
  CtlSettings,
  LogSettings,
  RestApiSettings,
} from '../core/service-settings.ts';
import type { Settings } from '../core/settings.ts';
import type { JsonObject } from '../core/json.ts';
import type { ConfigFailure } from './problem.ts';

/** Settings that only the composition root hands out; from the local configuration alone. */
export interface ServiceSettings {
  readonly restapi: RestApiSettings;
  readonly consul: ConsulSettings;
  readonly log: LogSettings;
  readonly ctl: CtlSettings;
}

/** What the command line client takes from a configuration file. */
export interface ClientSettings {
  readonly scope: string | undefined;
  readonly namespace: string;
  readonly consul: ConsulSettings;
  readonly ctl: CtlSettings;
}

/** Implements the port `SettingsSource`; failures say all that was found. */
export interface ConfiguredSource {
  current(): Settings;
  services(): ServiceSettings;
  applyDynamic(dynamic: JsonObject | undefined): Settings;
  reload(): Promise<Result<Settings, ConfigFailure>>;
  validateDynamic(
    dynamic: JsonObject,
  ): Result<{ readonly warnings: readonly string[] }, ConfigFailure>;
}
