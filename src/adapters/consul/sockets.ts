import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type { ConsulSettings } from '../../core/service-settings.ts';
import type { Millis } from '../../core/time.ts';

/**
 * Connections to one address for one purpose, which know whether a request can have left this host.
 * A write that failed before its connection stood provably did not happen; after that it may have.
 */
export interface Sockets {
  readonly agent: http.Agent;
  /** Bound for the next connection: TCP and TLS together. */
  limitConnect(timeoutMillis: Millis): void;
  /** True when the error ended a connection before any byte of a request could be sent on it. */
  neverConnected(error: unknown): boolean;
  /** After a failure: what sleeps in the pool may be as dead, and each would cost another timeout. */
  dropIdle(): void;
  close(): void;
}

/** Free connections are kept this long: longer than any pause between two heartbeats. */
const FREE_SOCKET_MILLIS: Millis = 60_000;
const KEEP_ALIVE_PROBE_MILLIS: Millis = 5_000;

class ConnectTimeoutError extends Error {
  override readonly name = 'ConnectTimeoutError';
  readonly code = 'ETIMEDOUT';
}

export function openSockets(settings: ConsulSettings): Sockets {
  const neverConnected = new WeakSet<Error>();
  const secure = settings.scheme === 'https';
  const agent = secure ? secureAgent(settings) : plainAgent();
  const readyEvent = secure ? 'secureConnect' : 'connect';
  let connectTimeoutMillis: Millis | undefined;

  const watchConnect = (socket: Duplex): void => {
    const fail = (error: Error): void => {
      neverConnected.add(error);
    };
    const timeout = connectTimeoutMillis;
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => {
            socket.destroy(new ConnectTimeoutError(`no connection within ${timeout} ms`));
          }, timeout);
    socket.once('error', fail);
    socket.once(readyEvent, () => {
      socket.off('error', fail);
      clearTimeout(timer);
    });
    socket.once('close', () => {
      clearTimeout(timer);
    });
  };

  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    try {
      const socket = connect(options, callback);
      if (socket !== null && socket !== undefined) watchConnect(socket);
      return socket;
    } catch (error) {
      if (error instanceof Error) neverConnected.add(error);
      throw error;
    }
  };
  return {
    agent,
    limitConnect: (timeoutMillis) => {
      connectTimeoutMillis = timeoutMillis;
    },
    neverConnected: (error) => error instanceof Error && neverConnected.has(error),
    dropIdle: () => {
      for (const idle of Object.values(agent.freeSockets)) {
        for (const socket of idle ?? []) socket.destroy();
      }
    },
    close: () => {
      agent.destroy();
    },
  };
}

const AGENT_OPTIONS: http.AgentOptions = {
  keepAlive: true,
  keepAliveMsecs: KEEP_ALIVE_PROBE_MILLIS,
  // Nothing ever queues behind another request: a renewal must not wait for a slow answer.
  maxSockets: Infinity,
  maxFreeSockets: 4,
  scheduling: 'lifo',
  timeout: FREE_SOCKET_MILLIS,
};

const plainAgent = (): http.Agent => new http.Agent(AGENT_OPTIONS);

/** Throws when a certificate file cannot be read. */
const secureAgent = (settings: ConsulSettings): https.Agent =>
  new https.Agent({
    ...AGENT_OPTIONS,
    rejectUnauthorized: settings.verify,
    ...(settings.cacert === undefined ? {} : { ca: readFileSync(settings.cacert) }),
    ...(settings.cert === undefined ? {} : { cert: readFileSync(settings.cert) }),
    // A certificate file may hold its key, too.
    ...keyOf(settings),
  });

function keyOf(settings: ConsulSettings): https.AgentOptions {
  const file = settings.key ?? settings.cert;
  return file === undefined ? {} : { key: readFileSync(file) };
}
