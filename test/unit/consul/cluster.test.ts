import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_CLUSTER } from '../../../src/core/cluster.ts';
import { decodeCluster } from '../../../src/wire/consul/cluster.ts';
import { decodeKvList } from '../../../src/wire/consul/kv.ts';
import type { KvEntry } from '../../../src/wire/consul/kv.ts';

const PREFIX = 'service/batman/';

const entry = (
  key: string,
  value: string | Uint8Array,
  modifyIndex = 5,
  session?: string,
): KvEntry => ({
  path: PREFIX + key,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  modifyIndex,
  session,
});

describe('a cluster read from Consul', () => {
  test('nothing below the prefix is the empty cluster', () => {
    expect(decodeCluster(PREFIX, [])).toEqual(EMPTY_CLUSTER);
    expect(
      decodeCluster(PREFIX, [{ ...entry('leader', 'a'), path: 'service/batman2/leader' }]),
    ).toEqual(EMPTY_CLUSTER);
  });

  test('each key becomes a slot with its index', () => {
    const record = decodeCluster(PREFIX, [
      entry('leader', 'node1', 11, 'session-1'),
      entry('initialize', '7434567890123456789', 12),
      entry('config', '{"ttl":30}', 13),
      entry('members/node1', '{"role":"master","state":"running"}', 14, 'session-1'),
      entry('members/node2', 'garbage', 15),
      entry('events/1', '{}', 16),
      entry('unheard-of', 'x', 17),
    ]);
    expect(record.leader).toEqual({
      kind: 'present',
      index: 11,
      value: { member: 'node1', session: 'session-1' },
    });
    expect(record.initialize).toMatchObject({ index: 12, value: '7434567890123456789' });
    expect(record.config).toMatchObject({ value: { ttl: 30 } });
    expect(record.status).toEqual({ kind: 'absent' });
    expect(record.members).toMatchObject([
      { key: { name: 'node1', role: 'primary' }, index: 14, session: 'session-1' },
      { key: { name: 'node2', role: 'uninitialized', state: 'unknown', apiUrl: '' }, index: 15 },
    ]);
  });

  test.each(['lease', 'generation', 'status', 'config', 'sync', 'history', 'failsafe', 'leader'])(
    'an unreadable %s is garbled with its index, never absent',
    (key) => {
      const invalid = Uint8Array.from([0xff, 0xfe, 0x00]);
      const record = decodeCluster(PREFIX, [entry(key, invalid, 9)]);
      expect(record[key as 'lease']).toEqual({ kind: 'garbled', index: 9, reason: 'not UTF-8' });
      const half = decodeCluster(PREFIX, [entry(key, key === 'leader' ? '' : '{"n":', 9)]);
      expect(half[key as 'lease']).toMatchObject({ kind: 'garbled', index: 9 });
    },
  );

  test('what is nested too deeply for any reader is garbled, and costs a member only its tags', () => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const config = (depth: number) =>
      decodeCluster(PREFIX, [entry('config', nested(depth))]).config;
    expect(config(32)).toMatchObject({ kind: 'present' });
    expect(config(33)).toMatchObject({ kind: 'garbled' });
    expect(config(40_000)).toMatchObject({ kind: 'garbled' });
    const member = (tags: string) =>
      decodeCluster(PREFIX, [
        entry('members/pg1', `{"conn_url":"postgres://h/postgres","tags":${tags}}`),
      ]);
    expect(member(nested(40_000))).toEqual(member('1'));
  });

  test('no bytes whatever make it throw', () => {
    const keys = [
      'lease',
      'generation',
      'status',
      'failover',
      'history',
      'sync',
      'members/x',
      'config',
    ];
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...keys), value, (key, bytes) => {
        expect(() => decodeCluster(PREFIX, [entry(key, bytes)])).not.toThrow();
      }),
    );
  });
});

describe("Consul's list of keys", () => {
  test('values are base64 or null, sessions may be missing', () => {
    expect(
      decodeKvList([
        { Key: 'a', Value: 'YQ==', ModifyIndex: 3, LockIndex: 0, Flags: 0, CreateIndex: 3 },
        { Key: 'b', Value: null, ModifyIndex: 4, Session: 's' },
      ]),
    ).toEqual({
      ok: true,
      value: [
        { path: 'a', value: Buffer.from('a'), modifyIndex: 3, session: undefined },
        { path: 'b', value: Buffer.alloc(0), modifyIndex: 4, session: 's' },
      ],
    });
  });

  test.each([
    [null],
    [{}],
    ['x'],
    [[null]],
    [[{ Key: 1 }]],
    [[{ Key: 'a', Value: '%', ModifyIndex: 1 }]],
  ])('%j is no such list', (body) => {
    expect(decodeKvList(body).ok).toBe(false);
  });
});
