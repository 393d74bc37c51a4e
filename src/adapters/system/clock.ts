import { bootMillis } from '../../guardian/boottime.ts';
import { instant } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';

/** The host's clocks. The same boot-time clock as the guardian's: they exchange absolute deadlines. */
export const systemClock: Clock = {
  now: () => instant(bootMillis()),
  wall: () => Date.now(),
  timer: (delay, callback) => {
    const timeout = setTimeout(callback, Math.max(0, delay));
    return () => {
      clearTimeout(timeout);
    };
  },
};
