import { assert } from '../../core/assert.ts';
import type { ConsulSettings } from '../../core/service-settings.ts';
import { plus, since } from '../../core/time.ts';
import type { Instant, Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/telemetry.ts';
import { createEndpoint } from './transport.ts';
import type { Call, Channel, Endpoint, Reply } from './transport.ts';

/** A single address gets nearly all the time to connect, so that "never connected" can still be told. */
const CONNECT_SHARE_ALONE = 0.9;
const CONNECT_SHARE_OF_SEVERAL = 0.4;
/** A watch lasts long, but its connection must stand soon. */
const WATCH_CONNECT_MILLIS: Millis = 2_000;
const LOG_PAUSE_MILLIS: Millis = 10_000;

interface Repetition {
  readonly channel: Channel;
  /** How much of the time left one attempt may use. */
  readonly share: (left: Millis, attemptsLeft: number) => Millis;
  readonly again: (reply: Reply) => boolean;
}

/** Several addresses of one Consul: one is used until it fails, then the next. */
export class Addresses {
  readonly #endpoints: readonly Endpoint[];
  readonly #several: boolean;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #current = 0;
  #loggedAt: Instant | undefined;

  constructor(settings: ConsulSettings, clock: Clock, logger: Logger) {
    assert(settings.addresses.length > 0, 'no Consul address is configured');
    this.#endpoints = settings.addresses.map((address) => createEndpoint(address, settings));
    this.#several = this.#endpoints.length > 1;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Sent once. Another address is tried only while provably nothing was sent, so what arrives
   * arrives once.
   */
  sendOnce(call: Call, timeoutMillis: Millis): Promise<Reply> {
    return this.#repeat(call, timeoutMillis, {
      channel: 'write',
      share: (left) => left,
      again: (reply) => this.#several && reply.kind === 'silence' && !reply.sent,
    });
  }

  /** For calls without effect: other addresses are tried within the same time. */
  ask(call: Call, timeoutMillis: Millis): Promise<Reply> {
    return this.#repeat(call, timeoutMillis, {
      channel: 'read',
      share: (left, attemptsLeft) => (this.#several && attemptsLeft > 1 ? left / 2 : left),
      again: (reply) => (this.#several ? addressFailed(reply) : connectionWasStale(reply)),
    });
  }

  /** One request to the address in use, which lasts until its answer or the signal. */
  wait(call: Call, timeoutMillis: Millis, signal: AbortSignal): Promise<Reply> {
    return this.#attempt('watch', call, timeoutMillis, signal);
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  async #repeat(call: Call, timeoutMillis: Millis, how: Repetition): Promise<Reply> {
    const deadline = plus(this.#clock.now(), timeoutMillis);
    const attempts = Math.max(2, this.#endpoints.length);
    let reply = await this.#attempt(how.channel, call, how.share(timeoutMillis, attempts));
    for (let left = attempts - 1; left > 0 && how.again(reply); left -= 1) {
      const remaining = since(this.#clock.now(), deadline);
      if (remaining < 1) break;
      reply = await this.#attempt(how.channel, call, how.share(remaining, left));
    }
    return reply;
  }

  async #attempt(
    channel: Channel,
    call: Call,
    timeoutMillis: Millis,
    signal?: AbortSignal,
  ): Promise<Reply> {
    const endpoint = this.#inUse();
    const timeout = Math.max(1, Math.floor(timeoutMillis));
    const share = this.#several ? CONNECT_SHARE_OF_SEVERAL : CONNECT_SHARE_ALONE;
    const connectTimeout =
      channel === 'watch'
        ? Math.min(timeout, WATCH_CONNECT_MILLIS)
        : Math.max(1, Math.floor(timeout * share));
    const reply = await endpoint.request(channel, call, timeout, connectTimeout, signal);
    if (addressFailed(reply)) this.#leave(endpoint, reply);
    return reply;
  }

  #inUse(): Endpoint {
    const endpoint = this.#endpoints[this.#current];
    assert(endpoint !== undefined, 'the address in use is one of the configured');
    return endpoint;
  }

  /** Concurrent requests may report the same address: only the first moves on. */
  #leave(endpoint: Endpoint, reply: Reply): void {
    if (!this.#several || endpoint !== this.#inUse()) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
    const now = this.#clock.now();
    if (this.#loggedAt !== undefined && since(this.#loggedAt, now) < LOG_PAUSE_MILLIS) return;
    this.#loggedAt = now;
    const failure = reply.kind === 'silence' ? reply.failure : reply.failed;
    this.#logger.log('warn', 'consul address failed, using the next', {
      next: this.#inUse().label,
      code: failure.code,
      reason: failure.message,
    });
  }
}

function addressFailed(reply: Reply): boolean {
  if (reply.kind === 'silence') return reply.failure.code !== 'cancelled';
  const foreign = reply.status >= 300 && reply.status < 400;
  return reply.status >= 500 || foreign;
}

/** A kept connection that the server had closed costs a single address one quick repetition. */
const connectionWasStale = (reply: Reply): boolean =>
  reply.kind === 'silence' && reply.sent && reply.failure.code === 'unreachable';
