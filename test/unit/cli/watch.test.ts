import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

describe('watch mode', () => {
  test('redraws on a terminal until Ctrl-C, then shows the cursor again', async () => {
    const { code, out } = await bench.run(['list', 'demo', '-w', '0.1'], {
      columns: 120,
      onOutput(text, session) {
        if (text.split('\u001B[H').length > 3) session.interrupt();
      },
    });
    expect(code).toBe(0);
    expect(out.startsWith('\u001B[?25l')).toBe(true);
    expect(out.endsWith('\u001B[?25h\n')).toBe(true);
    expect(out).toContain('Every 0.1 s');
  });

  test('appends without escape sequences in a pipe, and ends when the reader goes', async () => {
    const { code, out } = await bench.run(['list', 'demo', '-w', '0.1'], {
      onOutput(text, session) {
        if (text.split('Cluster: demo').length > 2) session.closeOutput();
      },
    });
    expect(code).toBe(0);
    expect(out).not.toContain('\u001B');
  });

  test('shows a Consul that goes away, and goes on', async () => {
    let broken = false;
    const { code, out } = await bench.run(['list', 'demo', '-w', '0.1'], {
      columns: 120,
      onOutput(text, session) {
        if (!broken && text.includes('node1')) {
          broken = true;
          bench.consul.override = (_, response) =>
            void response.writeHead(500, { 'content-type': 'text/plain' }).end('No cluster leader');
        }
        if (text.includes('No cluster leader')) {
          bench.consul.override = undefined;
          const after = text.slice(text.lastIndexOf('No cluster leader'));
          if (after.includes('node1')) session.interrupt();
        }
      },
    });
    expect(code).toBe(0);
    expect(out).toContain('Error: ');
  });

  test.each(['0', '-1', 'soon', ''])('refuses an interval of "%s"', async (interval) => {
    const { code, err } = await bench.run(['list', 'demo', '-w', interval]);
    expect(code).toBe(2);
    expect(err).toMatch(/^Error: .*number of seconds.*\nHint: /s);
  });
});

describe('a pipe that closes early', () => {
  test('is no failure', async () => {
    const ran = bench.run(['list', 'demo'], { onOutput: (_, session) => session.closeOutput() });
    expect((await ran).code).toBe(0);
  });
});
