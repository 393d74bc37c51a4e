import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Millis } from '../../core/time.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Endpoint } from './sql-connection.ts';
import { errnoOf } from './thrown.ts';

/** `answered`: a process was forked and spoke; `silent`: nobody did; `unreachable`: nobody listens. */
export type PostmasterSign = 'answered' | 'silent' | 'unreachable';

/** Length 8 and code 80877103, "do you encrypt?": answered by one byte, before any login. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * Whether the postmaster takes connections and can fork: it needs no login, no free connection and no
 * catalog. See "Message Flow, SSL Session Encryption" in PostgreSQL's documentation.
 */
export async function pingPostmaster(
  clock: Clock,
  endpoint: Pick<Endpoint, 'host' | 'port'>,
  timeoutMillis: Millis,
): Promise<PostmasterSign> {
  const socket = endpoint.host.startsWith('/')
    ? createConnection(join(endpoint.host, `.s.PGSQL.${endpoint.port}`))
    : createConnection(endpoint.port, endpoint.host);
  let cancel = (): void => undefined;
  try {
    return await new Promise<PostmasterSign>((resolve) => {
      cancel = clock.timer(timeoutMillis, () => {
        resolve('silent');
      });
      socket.once('connect', () => socket.write(SSL_REQUEST));
      socket.once('data', () => {
        resolve('answered');
      });
      // It said nothing and hung up: as it does when it cannot fork, say. That is a sign of life, too.
      socket.once('end', () => {
        resolve('answered');
      });
      socket.on('error', (error) => {
        // The queue of those who wait to be let in is full: nobody has let in any of them.
        resolve(errnoOf(error) === 'EAGAIN' ? 'silent' : 'unreachable');
      });
    });
  } finally {
    cancel();
    socket.destroy();
  }
}
