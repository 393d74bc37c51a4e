import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { AgentFacade } from '../agent/facade.ts';
import { done, fail, ok, type Result } from '../core/result.ts';
import type { RestApiSettings } from '../core/service-settings.ts';
import type { Logger } from '../ports/telemetry.ts';
import { createAllowlist } from './allowlist.ts';
import { createHandlers, type MetricsText } from './handlers.ts';
import { createServer, type Policies } from './server.ts';
import { loadTls } from './tls.ts';

/** How long a request that is being answered may go on after `close`. */
const DRAIN_MILLIS = 1000;

export interface ApiOptions {
  readonly agent: AgentFacade;
  readonly settings: RestApiSettings;
  readonly metrics: MetricsText;
  readonly logger: Logger;
}

export interface Api {
  /**
   * Failures: `api-port-in-use`, `api-address-unavailable`, `api-listen-failed`, and those of the
   * certificate files.
   */
  listen(): Promise<Result<{ readonly port: number }>>;
  /** Takes over new settings, and certificates from their files; on a failure the old ones go on. */
  reload(settings: RestApiSettings): Promise<Result<void>>;
  /** Stops accepting at once; requests at work get a second. */
  close(): Promise<void>;
}

/** Everything else changes while the socket goes on listening. */
const needsNewSocket = (before: RestApiSettings, after: RestApiSettings): boolean =>
  before.listenHost !== after.listenHost ||
  before.listenPort !== after.listenPort ||
  before.verifyClient !== after.verifyClient ||
  (before.certfile === undefined) !== (after.certfile === undefined);

function listenFailure(error: unknown, settings: RestApiSettings): Result<never> {
  const { listenHost, listenPort } = settings;
  const address = `${listenHost}:${listenPort}`;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'EADDRINUSE') {
    return fail(
      'api-port-in-use',
      `${address} is already in use`,
      'Stop the process that listens there (is this agent running twice?), or change restapi.listen.',
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return fail(
      'api-address-unavailable',
      `${listenHost} is no address of this host (${code})`,
      'Set restapi.listen to an address of this host, or to 0.0.0.0.',
    );
  }
  return fail(
    'api-listen-failed',
    `cannot listen on ${address}: ${error instanceof Error ? error.message : code}`,
    'Check restapi.listen; ports below 1024 need a privilege.',
  );
}

async function closeServer(app: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => {
    app.server.closeAllConnections();
  }, DRAIN_MILLIS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

class RestApi implements Api {
  readonly #options: ApiOptions;
  readonly #handlers: ReturnType<typeof createHandlers>;
  #policies: Policies;
  #serving: FastifyInstance | undefined;
  /** Between `listen` and `close`: a reload brings back a server that could not be reopened. */
  #wanted = false;
  /** Listen, reload and close never overlap. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#handlers = createHandlers(options.agent, options.metrics);
    this.#policies = this.#policiesFor(options.settings);
  }

  listen(): Promise<Result<{ readonly port: number }>> {
    return this.#inTurn(async () => {
      this.#wanted = true;
      return this.#open(this.#policies.settings);
    });
  }

  reload(settings: RestApiSettings): Promise<Result<void>> {
    return this.#inTurn(() => this.#apply(settings));
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#wanted = false;
      await this.#closeServing();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #policiesFor(settings: RestApiSettings): Policies {
    const { agent } = this.#options;
    return {
      settings,
      allowlist: createAllowlist({
        entries: settings.allowlist,
        includeMembers: settings.allowlistIncludeMembers,
        memberUrls: () =>
          (agent.cluster()?.record.members ?? []).map((member) => member.key.apiUrl),
      }),
    };
  }

  async #open(settings: RestApiSettings): Promise<Result<{ readonly port: number }>> {
    const tls = await loadTls(settings);
    if (!tls.ok) return tls;
    const wanted = this.#policiesFor(settings);
    const app = createServer({
      handlers: this.#handlers,
      // What this socket was made for, until it serves and reloads change the rest.
      policies: () => (this.#serving === app ? this.#policies : wanted),
      version: this.#options.agent.version(),
      tls:
        tls.value === undefined
          ? undefined
          : { material: tls.value, verifyClient: settings.verifyClient },
      logger: this.#options.logger,
    });
    try {
      // Patroni's `*`: every address, IPv6 included where there is any.
      const host = settings.listenHost === '*' ? '::' : settings.listenHost;
      await app.listen({ host, port: settings.listenPort });
    } catch (error) {
      await app.close();
      return listenFailure(error, settings);
    }
    this.#policies = wanted;
    this.#serving = app;
    return ok({ port: (app.server.address() as AddressInfo).port });
  }

  async #closeServing(): Promise<void> {
    const app = this.#serving;
    this.#serving = undefined;
    if (app !== undefined) await closeServer(app);
  }

  async #apply(settings: RestApiSettings): Promise<Result<void>> {
    const tls = await loadTls(settings);
    if (!tls.ok) return tls;
    const app = this.#serving;
    if (this.#wanted && (app === undefined || needsNewSocket(this.#policies.settings, settings))) {
      return this.#rebind(settings);
    }
    if (app !== undefined && tls.value !== undefined) {
      (app.server as unknown as TlsServer).setSecureContext(tls.value);
    }
    this.#policies = this.#policiesFor(settings);
    return done;
  }

  async #rebind(settings: RestApiSettings): Promise<Result<void>> {
    const before = this.#policies.settings;
    await this.#closeServing();
    const opened = await this.#open(settings);
    if (opened.ok) return done;
    const reopened = await this.#open(before);
    if (!reopened.ok) {
      this.#options.logger.log('error', 'the REST API is down', { failure: reopened.error });
    }
    return opened;
  }
}

/** The REST API of one agent. Nothing listens before `listen`. */
export function createApi(options: ApiOptions): Api {
  return new RestApi(options);
}
