import type { Result } from '../core/result.ts';
import type { WatchdogSettings } from '../core/settings.ts';
import type { Millis } from '../core/time.ts';
import type { WatchdogOrder } from '../core/watchdog.ts';

/** The kernel's watchdog device of this host, as long as no guardian holds it. */
export interface WatchdogDevice {
  /**
   * Sets it to this timeout or, where it cannot count so long, to its longest; stops it if it counts
   * down with nobody holding it, so Postgres must be proved down or a standby. Answers what a guardian is
   * to hold, or why none can. Changes nothing on a device that is set already.
   */
  prepare(settings: WatchdogSettings, timeoutMillis: Millis): Promise<Result<WatchdogOrder>>;
}
