import type { Millis } from '../../src/core/time.ts';
import type { Clock, Random } from '../../src/ports/clock.ts';
import type {
  ClusterStore,
  ReadAnswer,
  SessionAnswer,
  StoreFailure,
  StoreWrite,
  WriteAnswer,
} from '../../src/ports/cluster-store.ts';
import { clusterPrefix } from '../../src/wire/consul/keys.ts';
import { FakeConsulServer } from './fake-store-server.ts';
import { QUIET } from './quiet.ts';

/** One request, as the world between agent and Consul sees it. */
export interface FakeCall {
  readonly member: string;
  readonly operation: 'read' | 'watch' | 'commit' | 'open' | 'renew' | 'close';
  readonly write: StoreWrite | undefined;
}

/** What happens to one request. */
export type FakeFault =
  /** Nobody listens: provably nothing was sent. */
  | { readonly kind: 'refuse' }
  /** The request gets lost. */
  | { readonly kind: 'drop' }
  /** It takes effect, and the answer gets lost. */
  | { readonly kind: 'lose-reply' }
  /** It arrives that much later, and then takes effect whether or not the asker still waits. */
  | { readonly kind: 'delay'; readonly millis: Millis }
  | { readonly kind: 'delay-reply'; readonly millis: Millis }
  /** It arrives twice, the second time that much later, and takes effect each time. */
  | { readonly kind: 'repeat'; readonly millis: Millis }
  /** A watch is answered with what was true so long ago. */
  | { readonly kind: 'lag'; readonly millis: Millis }
  /** 403. */
  | { readonly kind: 'deny' }
  /** 500, after taking effect or not: the asker cannot know. */
  | { readonly kind: 'fail'; readonly effect: boolean };

export interface FakeConsulOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One way, asked for each message; nothing by default. */
  readonly latencyMillis?: (member: string) => Millis;
  /** False: what an agent wrote is taken for what was meant, without reading the bytes again. */
  readonly readsBytes?: boolean;
}

export interface FakeClientOptions {
  readonly scope: string;
  readonly namespace: string;
  readonly memberName: string;
  readonly sessionTtlMillis: Millis;
  /** The member's own clock, which bounds its requests; the server's unless given. */
  readonly clock?: Clock;
}

export type FakeStore = ClusterStore & { close(): void };

/**
 * Consul in memory, for several members: real semantics of keys, locks, sessions and blocking
 * queries, and faults on demand. Everything happens through the clock and the randomness given, so
 * the same seed gives the same run.
 */
export class FakeConsul {
  /** Set or cleared at any time; asked once for every request. */
  intercept: ((call: FakeCall) => FakeFault | undefined) | undefined;
  readonly server: FakeConsulServer;
  readonly #clock: Clock;
  readonly #latencyMillis: (member: string) => Millis;
  readonly #cut = new Set<string>();

  constructor(options: FakeConsulOptions) {
    this.#clock = options.clock;
    this.#latencyMillis = options.latencyMillis ?? (() => 0);
    this.server = new FakeConsulServer(options.clock, options.random, options.readsBytes);
  }

  /** Cuts a member off in both directions, what is on its way included. */
  partition(member: string, cut: boolean): void {
    if (cut) this.#cut.add(member);
    else this.#cut.delete(member);
  }

  connect(options: FakeClientOptions): FakeStore {
    return new FakeClient(options, this.server, this.#clock, {
      faultFor: (call) => this.intercept?.(call),
      isCut: (member) => this.#cut.has(member),
      latencyMillis: this.#latencyMillis,
    });
  }
}

interface Network {
  readonly faultFor: (call: FakeCall) => FakeFault | undefined;
  readonly isCut: (member: string) => boolean;
  readonly latencyMillis: (member: string) => Millis;
}

interface Request<T> {
  readonly operation: FakeCall['operation'];
  readonly write?: StoreWrite;
  readonly timeoutMillis: Millis;
  /** Takes effect on the server and answers, perhaps later; the result cancels a blocking one. */
  readonly perform: (answer: (value: T) => void, behindMillis: Millis) => (() => void) | undefined;
  readonly failed: (failure: StoreFailure, certainlyNotDone: boolean) => T;
  readonly signal?: AbortSignal;
}

const MIN_SESSION_TTL_MILLIS: Millis = 10_000;
const SERVER_JITTER = 17 / 16;
const WATCH_MARGIN_MILLIS: Millis = 1000;

class FakeClient implements FakeStore {
  readonly #member: string;
  readonly #prefix: string;
  readonly #ttlMillis: Millis;
  readonly #server: FakeConsulServer;
  /** Of the network and the servers. */
  readonly #clock: Clock;
  readonly #ownClock: Clock;
  readonly #network: Network;
  readonly #open = new Set<(failure: StoreFailure) => void>();
  readonly #abortable = new WeakMap<AbortSignal, Set<() => void>>();

  constructor(
    options: FakeClientOptions,
    server: FakeConsulServer,
    clock: Clock,
    network: Network,
  ) {
    this.#member = options.memberName;
    this.#prefix = clusterPrefix(options.namespace, options.scope);
    this.#ttlMillis = Math.max(MIN_SESSION_TTL_MILLIS, options.sessionTtlMillis);
    this.#server = server;
    this.#clock = clock;
    this.#ownClock = options.clock ?? clock;
    this.#network = network;
  }

  read(timeoutMillis: Millis): Promise<ReadAnswer> {
    return this.#request<ReadAnswer>({
      operation: 'read',
      timeoutMillis,
      perform: (answer) => {
        answer({ kind: 'read', ...this.#server.list(this.#prefix) });
        return undefined;
      },
      failed: (failure) => ({ kind: 'failed', failure }),
    });
  }

  async watch(index: number, waitMillis: Millis, signal: AbortSignal): Promise<ReadAnswer> {
    const answered = await this.#request<ReadAnswer>({
      operation: 'watch',
      timeoutMillis: waitMillis * SERVER_JITTER + WATCH_MARGIN_MILLIS,
      perform: (answer, behindMillis) =>
        this.#server.block(
          this.#prefix,
          index,
          waitMillis,
          () => {
            answer({ kind: 'read', ...this.#server.listBefore(this.#prefix, behindMillis) });
          },
          behindMillis,
        ),
      failed: (failure) => ({ kind: 'failed', failure }),
      signal,
    });
    return answered.kind === 'read' && answered.index < index
      ? { ...answered, index: 0 }
      : answered;
  }

  commit(write: StoreWrite, timeoutMillis: Millis): Promise<WriteAnswer> {
    return this.#request<WriteAnswer>({
      operation: 'commit',
      write,
      timeoutMillis,
      perform: (answer) => {
        answer(this.#server.commit(this.#prefix, write));
        return undefined;
      },
      failed: (failure, certainlyNotDone) => ({
        kind: certainlyNotDone ? 'not-done' : 'unknown',
        failure,
      }),
    });
  }

  openSession(timeoutMillis: Millis): Promise<SessionAnswer> {
    return this.#request<SessionAnswer>({
      operation: 'open',
      timeoutMillis,
      perform: (answer) => {
        const session = this.#server.createSession(this.#ttlMillis);
        answer({ kind: 'open', session, ttlMillis: this.#ttlMillis });
        return undefined;
      },
      failed: (failure) => ({ kind: 'failed', failure }),
    });
  }

  renewSession(session: string, timeoutMillis: Millis): Promise<SessionAnswer> {
    return this.#request<SessionAnswer>({
      operation: 'renew',
      timeoutMillis,
      perform: (answer) => {
        const renewed = this.#server.renewSession(session);
        answer(renewed ? { kind: 'open', session, ttlMillis: this.#ttlMillis } : { kind: 'gone' });
        return undefined;
      },
      failed: (failure) => ({ kind: 'failed', failure }),
    });
  }

  closeSession(session: string, timeoutMillis: Millis): Promise<void> {
    return this.#request<undefined>({
      operation: 'close',
      timeoutMillis,
      perform: (answer) => {
        this.#server.destroySession(session);
        answer(undefined);
        return undefined;
      },
      failed: () => undefined,
    });
  }

  /** Ends what is open, as a closed connection does. */
  close(): void {
    for (const end of this.#open) end({ code: 'unreachable', message: 'closed' });
  }

  #request<T>(request: Request<T>): Promise<T> {
    const { operation, write } = request;
    const fault = this.#network.faultFor({ member: this.#member, operation, write });
    const abortable = request.signal && this.#abortedBy(request.signal);
    return new Promise((resolve) => {
      let stopBlocking: (() => void) | undefined;
      const settle = (value: T): void => {
        stopTimer();
        abortable?.delete(onAbort);
        this.#open.delete(end);
        stopBlocking?.();
        resolve(value);
      };
      const end = (failure: StoreFailure): void => {
        settle(request.failed(failure, false));
      };
      const onAbort = (): void => {
        end({ code: 'cancelled', message: `${operation}: cancelled` });
      };
      const stopTimer = this.#ownClock.timer(request.timeoutMillis, () => {
        end({ code: 'timeout', message: `${operation}: no answer` });
      });
      this.#open.add(end);
      if (request.signal?.aborted === true) {
        onAbort();
        return;
      }
      abortable?.add(onAbort);
      stopBlocking = this.#send(request, fault, settle);
    });
  }

  /** What a signal ends. It is listened to once, for listening costs more than a request. */
  #abortedBy(signal: AbortSignal): Set<() => void> {
    const known = this.#abortable.get(signal);
    if (known !== undefined) return known;
    const ended = new Set<() => void>();
    this.#abortable.set(signal, ended);
    signal.addEventListener('abort', () => {
      for (const end of ended) end();
    });
    return ended;
  }

  /** The way there, the effect, the way back. */
  #send<T>(
    request: Request<T>,
    fault: FakeFault | undefined,
    settle: (value: T) => void,
  ): () => void {
    let stop: (() => void) | undefined;
    const isCut = (): boolean => this.#network.isCut(this.#member);
    const latency = (): Millis => this.#network.latencyMillis(this.#member);
    const later = (millis: Millis, callback: () => unknown): void => {
      this.#clock.timer(millis, callback);
    };
    const reply = (value: T): void => {
      if (fault?.kind === 'lose-reply') return;
      const extra = fault?.kind === 'delay-reply' ? fault.millis : 0;
      later(latency() + extra, () => (isCut() ? QUIET : settle(value)));
    };
    const refuse = (code: StoreFailure['code'], message: string, certain: boolean): void => {
      reply(request.failed({ code, message }, certain));
    };
    /** All that follows from it comes later: the answer, too. */
    const arrive = (): typeof QUIET => {
      if (isCut()) return QUIET;
      if (fault?.kind === 'deny') {
        refuse('forbidden', 'Permission denied', true);
        return QUIET;
      }
      this.#server.whenLed(
        () => {
          if (fault?.kind !== 'fail') {
            stop = request.perform(reply, fault?.kind === 'lag' ? fault.millis : 0);
            return;
          }
          if (fault.effect) request.perform(() => undefined, 0);
          refuse('server-error', 'leadership lost while committing log', false);
        },
        () => {
          refuse('no-leader', 'No cluster leader', false);
        },
      );
      return QUIET;
    };
    if (fault?.kind === 'refuse') {
      later(latency(), () => {
        settle(request.failed({ code: 'unreachable', message: 'connection refused' }, true));
      });
    } else if (fault?.kind !== 'drop' && !isCut()) {
      later(latency() + (fault?.kind === 'delay' ? fault.millis : 0), arrive);
      if (fault?.kind === 'repeat') later(latency() + fault.millis, arrive);
    }
    return () => {
      stop?.();
    };
  }
}
