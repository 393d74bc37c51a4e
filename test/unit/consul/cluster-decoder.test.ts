import { describe, expect, test } from 'vitest';
import { decodeCluster } from '../../../src/wire/consul/cluster.ts';
import { ClusterDecoder } from '../../harness/fake-store-decoder.ts';
import { seededRandom } from '../../harness/fake-store-clock.ts';
import { FakeKv } from '../../harness/fake-store-kv.ts';
import type { KvChange } from '../../harness/fake-store-kv.ts';

const PREFIX = 'service/s/';
const KEYS = [
  'leader',
  'initialize',
  'config',
  'lease',
  'odd',
  'members/a',
  'members/b',
  'members/',
];
const VALUES = ['a', '7000', '{}', '{"ttl":30}', '{"role":"replica"}', '{"role":"primary"}', '{'];

describe('reading only what has changed', () => {
  test('gives what reading everything gives, whatever is written and deleted', () => {
    const random = seededRandom(7);
    const pick = (from: readonly string[]): string =>
      from[Math.floor(random.fraction() * from.length)] ?? '';
    const kv = new FakeKv();
    const decoder = new ClusterDecoder();
    for (let round = 0; round < 2000; round += 1) {
      const path = PREFIX + pick(KEYS);
      const change: KvChange =
        random.fraction() < 0.1
          ? { kind: 'delete', path }
          : { kind: 'set', path, value: Buffer.from(pick(VALUES)) };
      kv.transact('', [], [change], () => false);
      if (random.fraction() < 0.3) continue;
      const { entries } = kv.list(PREFIX);
      expect(decoder.decode(PREFIX, entries)).toEqual(decodeCluster(PREFIX, entries));
    }
  });
});
