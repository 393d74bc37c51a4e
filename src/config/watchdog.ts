import type { Timing, WatchdogSettings } from '../core/settings.ts';
import { watchdogTimeout } from '../core/watchdog.ts';
import type { LocalConfig } from '../wire/config/local.ts';

const DEVICE = '/dev/watchdog';

/** Undefined: the kernel's watchdog is not used. */
export function resolveWatchdog({ watchdog }: LocalConfig): WatchdogSettings | undefined {
  const {
    mode = 'off',
    device = DEVICE,
    driver = 'default',
    safety_margin: margin,
  } = watchdog ?? {};
  if (mode === 'off') return undefined;
  const safetyMarginMillis = margin === undefined ? undefined : margin < 0 ? 'half' : margin * 1000;
  return { mode, device, driver, safetyMarginMillis };
}

const CONSEQUENCES: Readonly<Record<WatchdogSettings['mode'], string>> = {
  automatic: 'none is used',
  required: 'this member never leads',
};

/** What keeps the device from being used, by the times alone; undefined: they fit. */
export function watchdogMisfit(
  settings: WatchdogSettings | undefined,
  timing: Timing,
): { readonly message: string; readonly remedy: string } | undefined {
  if (settings === undefined) return undefined;
  const timeout = watchdogTimeout(timing, settings);
  if (timeout.kind === 'fits') return undefined;
  const { why, remedy } = timeout;
  return { message: `${why}: ${CONSEQUENCES[settings.mode]}`, remedy };
}

export function watchdogWarnings(
  settings: WatchdogSettings | undefined,
  timing: Timing,
): readonly string[] {
  const misfit = watchdogMisfit(settings, timing);
  return misfit === undefined ? [] : [`watchdog: ${misfit.message} (${misfit.remedy})`];
}
