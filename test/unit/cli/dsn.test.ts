import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

describe('dsn', () => {
  test.each([
    ['the leader', [], 'host=10.0.0.1 port=5432\n'],
    ['a replica', ['-r', 'replica'], 'host=10.0.0.2 port=5432\n'],
    ['a member', ['-m', 'node3'], 'host=10.0.0.3 port=5432\n'],
  ])('prints the address of %s', async (_, options, address) => {
    const { code, out } = await bench.run(['dsn', 'demo', ...options]);
    expect({ code, out }).toEqual({ code: 0, out: address });
  });

  test('takes a replica that serves before one that does not', async () => {
    bench.publish('node2', 2, { state: 'starting', replication_state: undefined });
    const { out } = await bench.run(['dsn', 'demo', '-r', 'replica']);
    expect(out).toBe('host=10.0.0.3 port=5432\n');
  });

  test('names the port also where the address of the member has none', async () => {
    bench.publish('node1', 1, { conn_url: 'postgres://10.0.0.9/postgres' });
    expect((await bench.run(['dsn', 'demo'])).out).toBe('host=10.0.0.9 port=5432\n');
  });

  test('for programs names the member', async () => {
    const { out } = await bench.run(['dsn', 'demo', '-f', 'json']);
    expect(JSON.parse(out)).toEqual([
      { Cluster: 'demo', Member: 'node1', Host: '10.0.0.1', Port: 5432 },
    ]);
  });

  test.each([
    ['no leader', [], 3, 'No member of cluster demo is a leader now.'],
    ['no such member', ['-m', 'nod2'], 3, 'no member "nod2"'],
    ['both at once', ['-m', 'node2', '-r', 'replica'], 2, 'A role and a member'],
  ])('says so: %s', async (_, options, exit, message) => {
    bench.consul.keys.delete('service/demo/leader');
    const { code, out, err } = await bench.run(['dsn', 'demo', ...options]);
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toContain(message);
  });

  test('a member without an address is no address', async () => {
    bench.publish('node1', 1, { conn_url: 'garbage' });
    const { code, err } = await bench.run(['dsn', 'demo']);
    expect(code).toBe(3);
    expect(err).toContain('node1 publishes no address');
  });
});
