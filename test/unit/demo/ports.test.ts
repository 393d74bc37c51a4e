import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';

interface Ports {
  readonly freePort: () => Promise<number>;
  readonly preferPort: (wanted: number) => Promise<number>;
}

/** As another process has it. */
async function anotherProcess(): Promise<Ports> {
  vi.resetModules();
  return import('../../../src/demo/ports.ts');
}

async function drawn({ freePort }: Ports, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push(await freePort());
  return all;
}

test('no port is handed out twice, by this process or by another, though nobody listens on it', async () => {
  const [one, two] = [await anotherProcess(), await anotherProcess()];
  const all = [...(await drawn(one, 150)), ...(await drawn(two, 150))];
  expect(new Set(all).size).toBe(300);
});

test('a port that is wanted is handed out while it is free, and another when it is not', async () => {
  const { freePort, preferPort } = await anotherProcess();
  const wanted = await freePort();
  expect(await preferPort(wanted)).not.toBe(wanted);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : 0;
  const { preferPort: preferred } = await anotherProcess();
  expect(await preferred(taken)).not.toBe(taken);
  await new Promise((resolve) => server.close(resolve));
  expect(await preferred(taken)).toBe(taken);
});
