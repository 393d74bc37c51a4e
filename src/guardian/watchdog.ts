import { instant } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import { lastPingAt, pingEveryMillis } from '../core/watchdog.ts';
import type { HeldWatchdog, WatchdogOrder } from '../core/watchdog.ts';

/** Close to the last allowed moment a late timer would cost a whole interval: it looks more often. */
const CLOSE_MILLIS: Millis = 200;
const CLOSE_EVERY_MILLIS: Millis = 50;

/** A device that was opened and counts down. What fails answers why. */
export interface OpenDevice {
  ping(): string | undefined;
  /** Stopped and closed. */
  stop(): string | undefined;
  /** Closed, and left to count down. */
  abandon(): void;
}

export interface WatchdogParts {
  /** On the boot-time clock of the host. */
  readonly now: () => Millis;
  readonly timer: (delayMillis: Millis, callback: () => void) => () => void;
  /** Starts it, or answers why it is no use. */
  readonly open: (order: WatchdogOrder) => OpenDevice | string;
  readonly log: (
    level: 'info' | 'error',
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void;
  readonly onChange: () => void;
}

interface Held {
  readonly device: OpenDevice;
  readonly order: WatchdogOrder;
}

/**
 * Holds the kernel's watchdog device while a lease is in force. A ping is given only where the host, if
 * nothing on it runs any more, is reset before that lease ends (SPEC.md P18).
 */
export class Watchdog {
  readonly #parts: WatchdogParts;
  #held: Held | undefined;
  #state: HeldWatchdog = { kind: 'closed' };
  #lastPingAllowedAt: Instant = instant(-Infinity);
  #pingedAt: Millis = -Infinity;
  #cancelTimer: () => void = () => undefined;

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
  }

  get state(): HeldWatchdog {
    return this.#state;
  }

  /**
   * A lease is in force until `end`. Opens the device if that was not done yet, and where there is time
   * for it to count; undefined: none is to be held.
   */
  guard(order: WatchdogOrder | undefined, end: Instant, fenceBudgetMillis: Millis): void {
    if (order === undefined) {
      this.release();
      this.#become({ kind: 'closed' });
      return;
    }
    if (this.#held !== undefined && !isSame(this.#held.order, order)) this.release();
    this.#lastPingAllowedAt = lastPingAt(end, fenceBudgetMillis, order.timeoutMillis);
    if (this.#held === undefined && this.#parts.now() <= this.#lastPingAllowedAt) this.#open(order);
    this.#look();
  }

  /** The server is proved down or a standby, or no time ends its lease: the device stops. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#forget();
    const { device } = held.order;
    const reason = held.device.stop();
    if (reason === undefined) {
      this.#parts.log('info', 'watchdog device stopped', { device });
    } else {
      const consequence = 'it resets this host when its timeout has passed';
      this.#parts.log('error', 'watchdog device NOT stopped', { device, reason, consequence });
    }
    this.#become({ kind: 'closed' });
  }

  #open(order: WatchdogOrder): void {
    const { device, timeoutMillis } = order;
    // It counts from the opening on, which is after this.
    this.#pingedAt = this.#parts.now();
    const opened = this.#parts.open(order);
    if (typeof opened === 'string') {
      this.#fail(device, opened);
      return;
    }
    this.#held = { device: opened, order };
    this.#parts.log('info', 'watchdog device opened', { device, timeoutMillis });
    this.#become({ kind: 'open', order });
  }

  #look(): void {
    this.#cancelTimer();
    const held = this.#held;
    if (held === undefined) return;
    const everyMillis = pingEveryMillis(held.order.timeoutMillis);
    const leftMillis = this.#lastPingAllowedAt - this.#parts.now();
    if (leftMillis < 0) return;
    const isClose = leftMillis <= CLOSE_MILLIS;
    if (isClose || this.#parts.now() - this.#pingedAt >= everyMillis) this.#ping(held);
    if (this.#held === undefined) return;
    const nextMillis = isClose
      ? CLOSE_EVERY_MILLIS
      : Math.min(this.#pingedAt + everyMillis - this.#parts.now(), leftMillis - CLOSE_MILLIS);
    this.#cancelTimer = this.#parts.timer(Math.max(1, nextMillis), () => {
      this.#look();
    });
  }

  #ping({ device, order }: Held): void {
    const at = this.#parts.now();
    // The last thing before the write.
    if (at > this.#lastPingAllowedAt) return;
    const failed = device.ping();
    if (failed === undefined) {
      this.#pingedAt = at;
      return;
    }
    this.#forget();
    device.abandon();
    this.#fail(order.device, `it does not take pings any more: ${failed}`);
  }

  #forget(): void {
    this.#cancelTimer();
    this.#held = undefined;
  }

  #fail(device: string, why: string): void {
    if (this.#state.kind !== 'failed' || this.#state.why !== why) {
      this.#parts.log('error', 'watchdog device cannot be used', { device, why });
    }
    this.#become({ kind: 'failed', device, why });
  }

  #become(state: HeldWatchdog): void {
    const before = this.#state;
    this.#state = state;
    if (JSON.stringify(state) !== JSON.stringify(before)) this.#parts.onChange();
  }
}

const isSame = (a: WatchdogOrder, b: WatchdogOrder): boolean =>
  a.device === b.device && a.driver === b.driver && a.timeoutMillis === b.timeoutMillis;
