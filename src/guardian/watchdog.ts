import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { instant } from '../core/time.ts';
import type { Instant, Millis } from '../core/time.ts';
import { lastPingAt, pingEveryMillis } from '../core/watchdog.ts';
import type { WatchdogOrder } from '../core/watchdog.ts';
import { bootMillis } from './boottime.ts';
import type { Journal } from './journal.ts';
import type { WireWatchdog } from './protocol.ts';

/** Close before the last allowed moment a late timer would cost a whole interval: it looks more often. */
const CLOSE_MILLIS: Millis = 200;
const CLOSE_EVERY_MILLIS: Millis = 50;

const PING = '1';
/** Closed after this, the device stops. Closed in any other way it counts down. */
const STOP = 'V';

interface Held {
  readonly descriptor: number;
  readonly order: WatchdogOrder;
}

/**
 * Holds the kernel's watchdog device while a lease is in force. A ping is given only where the host, if
 * nothing on it runs any more, is reset before that lease ends (SPEC.md P17). All calls are synchronous:
 * between the look at the clock and the write nothing can be waited for. A device that hangs keeps the
 * guardian from everything, and from pinging it, too.
 */
export class Watchdog {
  readonly #journal: Journal;
  readonly #onChange: () => void;
  readonly #now: () => Millis;
  #held: Held | undefined;
  #state: WireWatchdog = { kind: 'closed' };
  #lastPingAllowedAt: Instant = instant(-Infinity);
  #pingedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(journal: Journal, onChange: () => void, now: () => Millis = bootMillis) {
    this.#journal = journal;
    this.#onChange = onChange;
    this.#now = now;
  }

  get state(): WireWatchdog {
    return this.#state;
  }

  /**
   * A lease is in force until `end`. Opens the device if nobody has yet, and where there is time for it
   * to count; undefined: none is to be held.
   */
  guard(order: WatchdogOrder | undefined, end: Instant, fenceBudgetMillis: Millis): void {
    if (order === undefined) {
      this.release();
      this.#tell({ kind: 'closed' });
      return;
    }
    if (this.#held !== undefined && !isSame(this.#held.order, order)) this.release();
    this.#lastPingAllowedAt = lastPingAt(end, fenceBudgetMillis, order.timeoutMillis);
    if (this.#held === undefined && this.#now() <= this.#lastPingAllowedAt) this.#open(order);
    this.#look();
  }

  /** The server is proved down or a standby, or no time ends its lease: the device stops. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#forget();
    const { device } = held.order;
    const reason = stop(held.descriptor);
    if (reason === undefined) {
      this.#journal.log('info', 'watchdog device stopped', { device });
    } else {
      const consequence = 'it resets this host when its timeout has passed';
      this.#journal.log('error', 'watchdog device NOT stopped', { device, reason, consequence });
    }
    close(held.descriptor);
    this.#tell({ kind: 'closed' });
  }

  #open(order: WatchdogOrder): void {
    const { device, timeoutMillis } = order;
    // Counts from the opening on, which is after this.
    const openedAt = this.#now();
    let descriptor: number;
    try {
      // A named pipe that nobody reads must not keep the guardian waiting.
      descriptor = openSync(device, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      this.#fail(device, `it cannot be opened: ${reasonOf(error)}`);
      return;
    }
    const fault = setUp(descriptor, order);
    if (fault !== undefined) {
      stop(descriptor);
      close(descriptor);
      this.#fail(device, fault);
      return;
    }
    this.#pingedAt = openedAt;
    this.#held = { descriptor, order };
    this.#journal.log('info', 'watchdog device opened', { device, timeoutMillis });
    this.#tell({ kind: 'open', device, timeoutMillis });
  }

  #look(): void {
    clearTimeout(this.#timer);
    const held = this.#held;
    if (held === undefined) return;
    const everyMillis = pingEveryMillis(held.order.timeoutMillis);
    const leftMillis = this.#lastPingAllowedAt - this.#now();
    if (leftMillis < 0) return;
    const isClose = leftMillis <= CLOSE_MILLIS;
    if (isClose || this.#now() - this.#pingedAt >= everyMillis) this.#ping(held);
    if (this.#held === undefined) return;
    const nextMillis = isClose
      ? CLOSE_EVERY_MILLIS
      : Math.min(this.#pingedAt + everyMillis - this.#now(), leftMillis - CLOSE_MILLIS);
    this.#timer = setTimeout(
      () => {
        this.#look();
      },
      Math.max(1, nextMillis),
    );
  }

  #ping({ descriptor, order }: Held): void {
    const at = this.#now();
    // The last thing before the write.
    if (at > this.#lastPingAllowedAt) return;
    try {
      writeSync(descriptor, PING);
      this.#pingedAt = at;
    } catch (error) {
      this.#forget();
      close(descriptor);
      this.#fail(order.device, `it does not take pings any more: ${reasonOf(error)}`);
    }
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#held = undefined;
    this.#pingedAt = -Infinity;
  }

  #fail(device: string, why: string): void {
    if (this.#state.kind !== 'failed' || this.#state.why !== why) {
      this.#journal.log('error', 'watchdog device cannot be used', { device, why });
    }
    this.#tell({ kind: 'failed', device, why });
  }

  #tell(state: WireWatchdog): void {
    const same = JSON.stringify(state) === JSON.stringify(this.#state);
    this.#state = state;
    if (!same) this.#onChange();
  }
}

const isSame = (a: WatchdogOrder, b: WatchdogOrder): boolean =>
  a.device === b.device && a.driver === b.driver && a.timeoutMillis === b.timeoutMillis;

/** Now that nobody else can change it. Answers what is wrong with it. */
function setUp(descriptor: number, order: WatchdogOrder): string | undefined {
  try {
    const fault = order.driver === 'testing' ? announce(descriptor, order) : unfitness(order);
    if (fault === undefined) writeSync(descriptor, PING);
    return fault;
  } catch (error) {
    return `it cannot be set up: ${reasonOf(error)}`;
  }
}

/** The named pipe of a test is told what a device of the kernel is set to by an ioctl. */
function announce(descriptor: number, { timeoutMillis }: WatchdogOrder): undefined {
  writeSync(descriptor, `Ctimeout=${timeoutMillis / 1000}\n`);
}

function unfitness({ attributes, timeoutMillis }: WatchdogOrder): string | undefined {
  if (attributes === undefined) return 'its timeout cannot be read';
  const seconds = String(timeoutMillis / 1000);
  const found = readAttribute(attributes, 'timeout');
  if (found !== seconds) return `its timeout is ${found} s instead of ${seconds} s`;
  return readAttribute(attributes, 'nowayout') === '0'
    ? undefined
    : 'nowayout is set: it could not be stopped any more';
}

const readAttribute = (attributes: string, name: string): string =>
  readFileSync(join(attributes, name), 'latin1').trim();

/** Answers why it could not be told. */
function stop(descriptor: number): string | undefined {
  try {
    writeSync(descriptor, STOP);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function close(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // A device that is gone has nothing to close.
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EBUSY') return 'another program holds it (EBUSY)';
  if (code === 'ENXIO') return 'nobody reads the named pipe (ENXIO)';
  return message;
}
