import { execFile } from 'node:child_process';
import { plus, since } from '../../core/time.ts';
import type { Instant, Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/telemetry.ts';

/*
 * What systemd is told of an agent that it started as `Type=notify`: that it is up, which rule holds
 * its member, that it is alive. Node has no datagram sockets of the file system, so the sender is
 * systemd-notify(1). Without NOTIFY_SOCKET nothing happens; where a message cannot be sent, the agent
 * goes on all the same. Source: sd_notify(3), sd_watchdog_enabled(3).
 */

/** Variables of one message, `READY=1` and the like. Answers why it was not delivered. */
type Send = (socket: string, variables: readonly string[]) => Promise<string | undefined>;

export interface ServiceManagerOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A message stands in the arguments of a process for a moment, for all to read. */
  readonly hide: (text: string) => string;
  readonly send?: Send;
}

/** A member at the moment of a decision. */
export interface DecidedMember {
  /** Its Postgres is a primary that takes writes, or a standby that streams. */
  readonly up: () => boolean;
  /** What holds it where it is. */
  readonly status: string;
  /** For how long an agent that is alive may make no decision. */
  readonly quietMillis: Millis;
}

/**
 * Past this the agent is reported ready with its member not up: what it waits for may be a member
 * that is started only when `systemctl start` of this one has returned, or a clone of hours.
 */
export const READY_WITHIN_MILLIS: Millis = 30_000;
const STATUS_INTERVAL_MILLIS: Millis = 1000;
const FIRST_RETRY_MILLIS: Millis = 1000;
const LONGEST_RETRY_MILLIS: Millis = 60_000;
const SEND_TIMEOUT_MILLIS: Millis = 10_000;
const STATUS_LENGTH_MAX = 300;

const VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #socket: string | undefined;
  readonly #startedAt: Instant;
  /** Of systemd's watchdog; undefined: it is not used. */
  #periodMillis: Millis | undefined;
  #phase: 'starting' | 'ready' | 'stopping' = 'starting';
  #status = '';
  #statusAt: Instant | undefined;
  #pingedAt: Instant | undefined;
  /** What the next message says: one is under way at a time, and the rest is gathered. */
  readonly #pending = new Map<string, string>();
  #sending = false;
  /** After a message that was not delivered: when the next one may go, and the pause before that. */
  #retry: { readonly at: Instant; readonly pauseMillis: Millis } | undefined;
  #complained = false;

  /** Takes its variables out of the environment: they are not meant for what the agent starts. */
  constructor(options: ServiceManagerOptions) {
    const { environment, clock } = options;
    this.#options = options;
    this.#startedAt = clock.now();
    const told = (name: (typeof VARIABLES)[number]): string => environment[name] ?? '';
    this.#socket = told('NOTIFY_SOCKET') || undefined;
    const period = Number(told('WATCHDOG_USEC')) / 1000;
    const isForUs = told('WATCHDOG_PID') === '' || Number(told('WATCHDOG_PID')) === process.pid;
    if (isForUs && period > 0) this.#periodMillis = period;
    for (const name of VARIABLES) Reflect.deleteProperty(environment, name);
  }

  /**
   * The loop made a decision. This alone feeds the watchdog: an agent whose timers run on while its
   * loop is stuck is none that is alive.
   */
  decided({ up, status, quietMillis }: DecidedMember): void {
    if (this.#socket === undefined) return;
    const now = this.#options.clock.now();
    if (this.#phase === 'starting') {
      const isLate = since(this.#startedAt, now) >= READY_WITHIN_MILLIS;
      if (isLate || up()) {
        this.#phase = 'ready';
        this.#pending.set('READY', '1');
        // Whoever waited for it reads the status at once.
        this.#statusAt = undefined;
      }
    }
    this.#tellStatus(status, now);
    this.#feedWatchdog(quietMillis, now);
    this.#flush();
  }

  /** The configuration is read again; `reloaded` ends it. */
  reloading(): void {
    if (this.#phase !== 'ready') return;
    this.#pending.delete('READY');
    this.#pending.set('RELOADING', '1');
    this.#pending.set('MONOTONIC_USEC', String(process.hrtime.bigint() / 1000n));
    this.#flush();
  }

  reloaded(): void {
    if (this.#phase !== 'ready') return;
    this.#pending.delete('RELOADING');
    this.#pending.delete('MONOTONIC_USEC');
    this.#pending.set('READY', '1');
    this.#flush();
  }

  /** Nobody waits for the answer: the sender outlives an agent that ends at once. */
  stopping(): void {
    if (this.#phase === 'stopping') return;
    this.#phase = 'stopping';
    for (const name of ['READY', 'RELOADING', 'MONOTONIC_USEC']) this.#pending.delete(name);
    this.#pending.set('STOPPING', '1');
    this.#flush();
  }

  /** Figures alone are no news. */
  #tellStatus(status: string, now: Instant): void {
    if (shapeOf(status) === shapeOf(this.#status)) return;
    if (this.#statusAt !== undefined && since(this.#statusAt, now) < STATUS_INTERVAL_MILLIS) return;
    this.#status = status;
    this.#statusAt = now;
    const line = this.#options.hide(status).replace(/[\s\p{Cc}]+/gu, ' ');
    this.#pending.set('STATUS', line.slice(0, STATUS_LENGTH_MAX));
  }

  #feedWatchdog(quietMillis: Millis, now: Instant): void {
    if (this.#periodMillis === undefined) return;
    // With Patroni's times a healthy loop may be quiet for longer than the unit allows.
    if (this.#periodMillis < 2 * quietMillis) {
      this.#periodMillis = 2 * quietMillis;
      this.#pending.set('WATCHDOG_USEC', String(Math.round(this.#periodMillis * 1000)));
    }
    if (this.#pingedAt !== undefined && since(this.#pingedAt, now) < this.#periodMillis / 3) return;
    this.#pingedAt = now;
    this.#pending.set('WATCHDOG', '1');
  }

  #flush(): void {
    const { clock, send = sendBySystemdNotify } = this.#options;
    if (this.#socket === undefined || this.#sending || this.#pending.size === 0) return;
    if (this.#retry !== undefined && clock.now() < this.#retry.at) return;
    const message = new Map(this.#pending);
    this.#pending.clear();
    this.#sending = true;
    const variables = [...message].map(([name, value]) => `${name}=${value}`);
    const delivered = (failure: string | undefined): void => {
      this.#sending = false;
      if (failure === undefined) this.#retry = undefined;
      else this.#undelivered(message, failure);
      this.#flush();
    };
    send(this.#socket, variables).then(delivered, (error: unknown) => {
      delivered(error instanceof Error ? error.message : String(error));
    });
  }

  #undelivered(message: ReadonlyMap<string, string>, failure: string): void {
    const { clock, logger } = this.#options;
    const last = this.#retry?.pauseMillis ?? FIRST_RETRY_MILLIS / 2;
    const pauseMillis = Math.min(2 * last, LONGEST_RETRY_MILLIS);
    this.#retry = { at: plus(clock.now(), pauseMillis), pauseMillis };
    // Of all that is said only this is waited for, by whoever ran `systemctl start` or `reload`.
    if (message.has('READY') && this.#phase === 'ready' && !this.#pending.has('RELOADING')) {
      this.#pending.set('READY', '1');
    }
    if (this.#complained) return;
    this.#complained = true;
    logger.log('warn', `systemd was not told: ${failure}`, {
      variables: [...message.keys()],
      remedy:
        'the agent works without; the unit needs Type=notify, NotifyAccess=all and systemd-notify, ' +
        'or Type=exec without WatchdogSec',
    });
  }
}

const shapeOf = (text: string): string => text.replace(/\d+/g, '#');

const sendBySystemdNotify: Send = (socket, variables) =>
  new Promise((resolve) => {
    execFile(
      'systemd-notify',
      [...variables],
      {
        env: { PATH: process.env['PATH'], LC_ALL: 'C', NOTIFY_SOCKET: socket },
        timeout: SEND_TIMEOUT_MILLIS,
        killSignal: 'SIGKILL',
      },
      (error, _stdout, stderr) => {
        if (error === null) resolve(undefined);
        else resolve(stderr.trim().split('\n')[0] || error.message);
      },
    );
  });
