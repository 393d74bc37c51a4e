import { fail, ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import type { WatchdogSettings } from '../../src/core/settings.ts';
import type { Millis } from '../../src/core/time.ts';
import type { WatchdogOrder } from '../../src/core/watchdog.ts';
import type { OpenDevice } from '../../src/guardian/watchdog.ts';

export type WatchdogTrouble =
  'missing' | 'forbidden' | 'held by another' | 'nowayout' | 'refuses pings';

const ATTRIBUTES = '/sys/class/watchdog/watchdog0';
const FIRST_TIMEOUT_MILLIS = 60_000;

/**
 * The watchdog device of a machine that is no real one: counts while it is open, and on when whoever
 * held it dies, for another timeout from then on, as the kernel's do.
 */
export class FakeWatchdog {
  trouble: WatchdogTrouble | undefined;
  timeoutMillis = FIRST_TIMEOUT_MILLIS;
  /** It cannot count for less, or for longer. */
  leastMillis = 1000;
  longestMillis = Infinity;
  /** How often it was pinged, and how often it has reset the machine. */
  pings = 0;
  resets = 0;
  readonly #after: (delayMillis: Millis, callback: () => void) => () => void;
  readonly #onReset: () => void;
  #held: object | undefined;
  #cancel: (() => void) | undefined;

  constructor(
    after: (delayMillis: Millis, callback: () => void) => () => void,
    onReset: () => void,
  ) {
    this.#after = after;
    this.#onReset = onReset;
  }

  get counts(): boolean {
    return this.#cancel !== undefined;
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** As `WatchdogDevice` of src/ports. */
  prepare({ device, driver }: WatchdogSettings, wantedMillis: Millis): Result<WatchdogOrder> {
    if (this.trouble === 'missing') return fail('watchdog-missing', `${device} does not exist`);
    if (this.trouble === 'forbidden') return fail('watchdog-forbidden', `${device} cannot be used`);
    if (this.trouble === 'nowayout')
      return fail('watchdog-nowayout', `${device} cannot be stopped`);
    const busy = this.isHeld || this.trouble === 'held by another';
    if (busy) return fail('watchdog-busy', `another program holds ${device}`);
    this.#stop();
    const millis = Math.min(wantedMillis, this.longestMillis);
    this.timeoutMillis = Math.max(millis, this.leastMillis);
    if (this.timeoutMillis > wantedMillis)
      return fail('watchdog-timeout', 'it cannot be set so short');
    return ok({ device, driver, timeoutMillis: this.timeoutMillis, attributes: ATTRIBUTES });
  }

  /** As a guardian opens it. */
  open(order: WatchdogOrder): OpenDevice | string {
    if (this.isHeld) return 'another program holds it';
    if (this.trouble !== undefined && this.trouble !== 'refuses pings') return this.trouble;
    if (this.timeoutMillis !== order.timeoutMillis) return 'its timeout is another';
    const holder = {};
    this.#held = holder;
    this.#count();
    return {
      ping: () => {
        if (this.#held !== holder) return 'not held';
        if (this.trouble === 'refuses pings') return 'EIO';
        this.pings += 1;
        this.#count();
        return undefined;
      },
      stop: () => {
        if (this.#held !== holder) return 'not held';
        this.#held = undefined;
        this.#stop();
        return undefined;
      },
      abandon: () => {
        if (this.#held === holder) this.holderDied();
      },
    };
  }

  /** Closed without a word: the kernel pings it once more, and lets it count. */
  holderDied(): void {
    if (!this.isHeld) return;
    this.#held = undefined;
    this.#count();
  }

  /** The machine is off. */
  powerOff(): void {
    this.#held = undefined;
    this.#stop();
    this.timeoutMillis = FIRST_TIMEOUT_MILLIS;
  }

  #count(): void {
    this.#stop();
    this.#cancel = this.#after(this.timeoutMillis, () => {
      this.resets += 1;
      this.powerOff();
      this.#onReset();
    });
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
