import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { createApi } from '../../../src/api/create-api.ts';
import { createFakeAgent, recordingLogger, REST } from './fake-agent.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** Sends bytes, ends the connection, and says so in shared memory. */
const CLIENT = `
  const { connect } = require('node:net');
  const { workerData: { port, bytes, left } } = require('node:worker_threads');
  const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
  socket.on('finish', () => {
    Atomics.store(left, 0, 1);
    Atomics.notify(left, 0);
  });
`;

function post(path: string, body: string): string {
  return [
    `POST ${path} HTTP/1.1`,
    'Host: a',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

test('a command that was sent to an agent that stood still is not carried out after its client has left', async () => {
  const agent = createFakeAgent();
  const logger = recordingLogger();
  const metrics = { text: (): Promise<string> => Promise.resolve('') };
  const api = createApi({ agent, settings: REST, metrics, logger });
  cleanups.push(() => api.close());
  const listening = await api.listen();
  const port = listening.ok ? listening.value.port : 0;
  const left = new Int32Array(new SharedArrayBuffer(4));
  const bytes = post('/switchover', '{"leader": "pg1", "candidate": "pg2"}');
  const client = new Worker(CLIENT, { eval: true, workerData: { port, bytes, left } });
  cleanups.push(() => client.terminate());
  // Nothing runs here meanwhile, as in a process that was stopped.
  expect(Atomics.wait(left, 0, 0, 30_000)).not.toBe('timed-out');
  await expect
    .poll(() => logger.lines.map(({ message }) => message))
    .toContain('request dropped: its client has left');
  expect(agent.submitted).toEqual([]);
});
