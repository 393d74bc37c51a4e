import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { DemoError } from './demo-error.ts';

// Below the range from which the kernel takes the ports of outgoing connections.
const LOWEST = 15_000;
const BLOCKS = 34;
const BLOCK_PORTS = 500;
const ATTEMPTS = 200;

const handedOut = new Set<number>();
/** First port of the block that this process has for itself. */
let block: Promise<number> | undefined;

async function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      resolve(server);
    });
  });
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * Ports that no other process like this one hands out: what listens on a port here may be down for a
 * moment when another looks for a free one. Whoever listens on the first port of a block has the block.
 */
async function claimBlock(): Promise<number> {
  const first = randomInt(BLOCKS);
  for (let turn = 0; turn < BLOCKS; turn += 1) {
    const base = LOWEST + ((first + turn) % BLOCKS) * BLOCK_PORTS;
    const server = await listen(base);
    if (server === undefined) continue;
    server.unref();
    return base;
  }
  throw new DemoError(`every ${BLOCK_PORTS}th port from ${LOWEST} on is in use on 127.0.0.1`);
}

/** A port of 127.0.0.1 that nobody listens on, and that neither this process nor another like it has been given. */
export async function freePort(): Promise<number> {
  block ??= claimBlock();
  const base = await block;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = base + randomInt(1, BLOCK_PORTS);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
  throw new DemoError(`no free port between ${base} and ${base + BLOCK_PORTS} on 127.0.0.1`);
}

/** The wanted port if it is free, else any other: fixed numbers are easier to remember. */
export async function preferPort(wanted: number): Promise<number> {
  if (!handedOut.has(wanted) && (await isFree(wanted))) {
    handedOut.add(wanted);
    return wanted;
  }
  return freePort();
}
