import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { DemoError } from './demo-error.ts';

// Below the range from which the kernel takes the ports of outgoing connections.
const LOWEST = 15_000;
const HIGHEST = 32_000;
const ATTEMPTS = 200;

const handedOut = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** A port of 127.0.0.1 that nobody listens on, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
  throw new DemoError(`no free port between ${LOWEST} and ${HIGHEST} on 127.0.0.1`);
}

/** The wanted port if it is free, else any other: fixed numbers are easier to remember. */
export async function preferPort(wanted: number): Promise<number> {
  if (!handedOut.has(wanted) && (await isFree(wanted))) {
    handedOut.add(wanted);
    return wanted;
  }
  return freePort();
}
