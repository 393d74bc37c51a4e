import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { durationText } from '../../../src/cli/commands/explain.ts';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
  const candidates = [
    { name: 'node2', eligible: true, why: 'newest log', lsn: '0/6400000', timeline: 2 },
    { name: 'node3', eligible: false, why: 'tagged nofailover', lsn: null, timeline: null },
  ];
  const explain = (name: string, why: string, waits: string[]) => ({
    name,
    rule: 'R420',
    rule_name: 'lead-and-renew',
    why,
    waits_for: waits,
    since_ms: 12_345,
    candidates,
  });
  bench
    .member('node1')
    .on('GET /explain', 200, explain('node1', 'the lease is held and Postgres is primary', []));
  bench
    .member('node2')
    .on(
      'GET /explain',
      200,
      explain('node2', 'follows node1', ['the lease of node1 ends', 'a release']),
    );
  bench.member('node3').on('GET /explain', 503, { state: 'running', role: 'replica' });
});
afterEach(() => bench.stop());

describe('explain', () => {
  test('does not say the same twice where the reason tells what is waited for', async () => {
    const why = 'the lease of node1 is paused; waits for node1 to beat again';
    bench.member('node2').on('GET /explain', 200, {
      name: 'node2',
      rule: 'R590',
      rule_name: 'standing-by',
      why,
      waits_for: [why],
      since_ms: 1,
      candidates: [],
    });
    const { out } = await bench.run(['explain', 'demo', 'node2']);
    expect(out.split('to beat again')).toHaveLength(2);
    expect(out).not.toContain('waits for   nothing');
  });

  test('shows each member with its rule, and the candidates as the leader sees them', async () => {
    const { code, out, err } = await bench.run(['explain', 'demo']);
    expect(code).toBe(3);
    expect(err).toContain('Error: No explanation from node3.');
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      node1  Leader, running
        rule        R420 lead-and-renew, for 12 s
        why         the lease is held and Postgres is primary
        waits for   nothing

      node2  Replica, streaming
        rule        R420 lead-and-renew, for 12 s
        why         follows node1
        waits for   the lease of node1 ends
                    a release

      node3  Replica, streaming
        no answer   /explain gives status 503; is another version running there?

      + Candidates, as node1 sees them -------+-------------------+
      | Candidate | May lead | TL |       LSN | Why               |
      +-----------+----------+----+-----------+-------------------+
      | node2     | yes      |  2 | 0/6400000 | newest log        |
      | node3     | no       |    |           | tagged nofailover |
      +-----------+----------+----+-----------+-------------------+
      "
    `);
  });

  test('shows one member with its own view', async () => {
    const { code, out } = await bench.run(['explain', 'node2'], { env: { PATRONI_SCOPE: 'demo' } });
    expect(code).toBe(0);
    expect(out).toContain('Candidates, as node2 sees them');
    expect(out).not.toContain('node1  Leader');
  });

  test('gives programs all of it', async () => {
    const { out } = await bench.run(['explain', 'demo', '-f', 'json']);
    const rows = JSON.parse(out) as Record<string, unknown>[];
    expect(rows[1]).toMatchObject({
      Member: 'node2',
      Rule: 'R420',
      'Waits for': ['the lease of node1 ends', 'a release'],
      'Since ms': 12345,
    });
    expect(rows[2]).toMatchObject({
      Member: 'node3',
      Error: expect.stringContaining('503') as unknown,
    });
  });

  test('wraps to the terminal', async () => {
    const { out } = await bench.run(['explain', 'demo', '--no-color'], { columns: 50 });
    const lines = out.split('\n').filter((line) => line.startsWith('  '));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
  });

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1000, '1 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [100_000_000, '1 d 3 h'],
  ])('%i ms is "%s"', (millis, text) => {
    expect(durationText(millis)).toBe(text);
  });
});
