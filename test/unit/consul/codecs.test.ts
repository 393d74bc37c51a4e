import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Generation, Lease, MemberKey } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { encodeJson, parseJson } from '../../../src/wire/consul/json.ts';
import { clusterPrefix, memberNameOf, virtualNodeName } from '../../../src/wire/consul/keys.ts';
import { generationCodec, leaseCodec } from '../../../src/wire/consul/lease.ts';
import { decodeMember, encodeMember } from '../../../src/wire/consul/member.ts';
import {
  failoverCodec,
  failsafeCodec,
  historyCodec,
  initializeCodec,
  leaderCodec,
  objectCodec,
  statusCodec,
  syncCodec,
} from '../../../src/wire/consul/patroni-keys.ts';

const HUGE = 18_446_744_073_709_551_615n;

const lease: Lease = {
  id: 'r4nd0m',
  n: 7,
  incarnation: 'inc-1',
  beat: 42,
  ttlMillis: 3000,
  released: undefined,
};

const generation: Generation = {
  n: 7,
  id: 'r4nd0m',
  holder: 'node1',
  timeline: 3,
  switchLsn: lsn(HUGE),
  ancestors: [{ id: 'before', timeline: 2, switchLsn: lsn(50_331_648n) }],
};

describe('JSON', () => {
  test('integers beyond 2^53 keep every digit, both ways', () => {
    const text = `{"optime":${HUGE},"small":-5,"text":"${HUGE} \\" 12345678901234567890"}`;
    const parsed = parseJson(text);
    expect(parsed).toEqual({
      ok: true,
      value: { optime: HUGE, small: -5, text: `${HUGE} " 12345678901234567890` },
    });
    expect(encodeJson({ optime: HUGE })).toBe(`{"optime":${HUGE}}`);
  });

  test('is written without blanks and without undefined fields', () => {
    expect(encodeJson({ a: [1, null, 'x y'], b: undefined, c: { d: true } })).toBe(
      '{"a":[1,null,"x y"],"c":{"d":true}}',
    );
  });

  test('what was written is read back, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        const parsed = parseJson(text);
        expect(parsed.ok && JSON.parse(encodeJson(parsed.value as never))).toEqual(
          JSON.parse(text),
        );
      }),
    );
  });
});

describe('keys', () => {
  test('slashes around the namespace do not matter', () => {
    expect(clusterPrefix('/service/', 'batman')).toBe('service/batman/');
    expect(clusterPrefix('service', 'batman')).toBe('service/batman/');
    expect(clusterPrefix('/team/db', 'batman')).toBe('team/db/batman/');
    expect(clusterPrefix('/', 'batman')).toBe('batman/');
  });

  test('names', () => {
    expect(memberNameOf('members/node1')).toBe('node1');
    expect(memberNameOf('members/')).toBeUndefined();
    expect(memberNameOf('leader')).toBeUndefined();
    expect(virtualNodeName('batman', 'node1')).toBe('pgbaton-batman-node1');
  });
});

describe('our own keys', () => {
  test('a lease is snake_case JSON', () => {
    expect(leaseCodec.encode(lease)).toBe(
      '{"id":"r4nd0m","n":7,"incarnation":"inc-1","beat":42,"ttl_ms":3000}',
    );
    expect(leaseCodec.decode(leaseCodec.encode(lease))).toEqual({ ok: true, value: lease });
  });

  test('a release names its successor and where the log ended', () => {
    const released = { ...lease, released: { handoff: 'n2', lsn: lsn(HUGE), exclude: ['n3'] } };
    const text = leaseCodec.encode(released);
    expect(text).toContain(`"released":{"handoff":"n2","lsn":${HUGE},"exclude":["n3"]}`);
    expect(leaseCodec.decode(text)).toEqual({ ok: true, value: released });
    const bare = { ...lease, released: { handoff: undefined, lsn: undefined, exclude: [] } };
    expect(leaseCodec.decode(leaseCodec.encode(bare))).toEqual({ ok: true, value: bare });
  });

  test('fields of a later version are ignored', () => {
    const text = leaseCodec.encode(lease).replace('{', '{"later":true,"more":{"a":1},');
    expect(leaseCodec.decode(text)).toEqual({ ok: true, value: lease });
  });

  test('a pause is said where it is, and nowhere else', () => {
    expect(leaseCodec.encode(lease)).not.toContain('paused');
    const paused = { ...lease, paused: true };
    expect(leaseCodec.decode(leaseCodec.encode(paused))).toEqual({ ok: true, value: paused });
  });

  test.each([
    ['no JSON', 'node1'],
    ['no ttl', '{"id":"a","n":1,"incarnation":"b","beat":1}'],
    ['a negative beat', '{"id":"a","n":1,"incarnation":"b","beat":-1,"ttl_ms":3000}'],
    [
      'a beat beyond exact integers',
      `{"id":"a","n":1,"incarnation":"b","beat":${HUGE},"ttl_ms":1}`,
    ],
    ['a ttl of nothing', '{"id":"a","n":1,"incarnation":"b","beat":1,"ttl_ms":0}'],
    [
      'a release nobody can read',
      '{"id":"a","n":1,"incarnation":"b","beat":1,"ttl_ms":1,"released":1}',
    ],
  ])('a lease with %s cannot be read', (_what, text) => {
    expect(leaseCodec.decode(text).ok).toBe(false);
  });

  test('a generation keeps its ancestors and positions', () => {
    const text = generationCodec.encode(generation);
    expect(text).toBe(
      `{"n":7,"id":"r4nd0m","holder":"node1","timeline":3,"switch_lsn":${HUGE},` +
        '"ancestors":[{"id":"before","timeline":2,"switch_lsn":50331648}]}',
    );
    expect(generationCodec.decode(text)).toEqual({ ok: true, value: generation });
  });
});

describe("Patroni's keys", () => {
  test('status as Patroni 4 writes it', () => {
    const text =
      '{"optime":24470192,"slots":{"postgres_0":24470192},"retain_slots":["postgres_0"]}';
    const decoded = statusCodec.decode(text);
    expect(decoded).toEqual({
      ok: true,
      value: {
        optime: 24_470_192n,
        slots: { postgres_0: 24_470_192n },
        retainSlots: ['postgres_0'],
      },
    });
    if (decoded.ok) expect(statusCodec.encode(decoded.value)).toBe(text);
  });

  test.each([
    ['{"optime":5}', { optime: 5n, slots: {}, retainSlots: [] }],
    ['{"optime":5,"slots":null,"retain_slots":null}', { optime: 5n, slots: {}, retainSlots: [] }],
    ['{"optime":5,"slots":{"a":7,"b":"x"}}', { optime: 5n, slots: { a: 7n }, retainSlots: [] }],
    ['24470192', { optime: 24_470_192n, slots: {}, retainSlots: [] }],
  ])('older or partial status %s', (text, value) => {
    expect(statusCodec.decode(text)).toEqual({ ok: true, value });
  });

  test.each(['', '{}', '{"optime":"x"}', '{"optime":-1}', '[]', 'null'])(
    'status %j cannot be read',
    (text) => {
      expect(statusCodec.decode(text).ok).toBe(false);
    },
  );

  test.each([
    ['{"leader":"a","member":"b"}', { leader: 'a', candidate: 'b', scheduledAt: undefined }],
    [
      '{"leader":"a","member":null,"scheduled_at":"2026-01-31T12:00:00+00:00"}',
      { leader: 'a', candidate: undefined, scheduledAt: '2026-01-31T12:00:00+00:00' },
    ],
    ['a:b', { leader: 'a', candidate: 'b', scheduledAt: undefined }],
    [':b', { leader: undefined, candidate: 'b', scheduledAt: undefined }],
    ['a', { leader: 'a', candidate: undefined, scheduledAt: undefined }],
    ['{}', { leader: undefined, candidate: undefined, scheduledAt: undefined }],
    ['', { leader: undefined, candidate: undefined, scheduledAt: undefined }],
  ])('failover %j', (text, value) => {
    expect(failoverCodec.decode(text)).toEqual({ ok: true, value });
  });

  test.each(['{"leader":', 'a:b:c', '["a"]', '{"leader":5}'])(
    'failover %j cannot be read',
    (text) => {
      expect(failoverCodec.decode(text).ok).toBe(false);
    },
  );

  test('failover is written as Patroni reads it', () => {
    expect(failoverCodec.encode({ leader: 'a', candidate: 'b', scheduledAt: undefined })).toBe(
      '{"leader":"a","member":"b"}',
    );
  });

  test('history lines of three to five fields', () => {
    const text =
      '[[1,25623960,"no recovery target specified"],' +
      '[2,25624000,"x","2026-01-31T12:00:00+00:00"],' +
      '[3,25625000,"x","2026-01-31T12:00:00+00:00","node2"]]';
    const decoded = historyCodec.decode(text);
    expect(decoded.ok && decoded.value.map((entry) => entry.leader)).toEqual([
      undefined,
      undefined,
      'node2',
    ]);
    if (decoded.ok) expect(historyCodec.encode(decoded.value)).toBe(text);
    expect(historyCodec.decode('{}').ok).toBe(false);
  });

  test('a slot of any name that PostgreSQL takes', () => {
    const text = '{"optime":1,"slots":{"__proto__":5,"a":6},"retain_slots":[]}';
    const decoded = statusCodec.decode(text);
    expect(decoded.ok && Object.entries(decoded.value.slots)).toEqual([
      ['__proto__', 5n],
      ['a', 6n],
    ]);
    if (decoded.ok) expect(statusCodec.encode(decoded.value)).toBe(text);
  });

  test('sync as a comma list, as nothing, and as the list of old', () => {
    const text = '{"leader":"a","sync_standby":"b,c","quorum":1}';
    const decoded = syncCodec.decode(text);
    expect(decoded).toEqual({
      ok: true,
      value: { leader: 'a', standbys: ['b', 'c'], quorum: 1, version: 0 },
    });
    if (decoded.ok) expect(syncCodec.encode(decoded.value)).toBe(text);
    expect(syncCodec.decode('{"leader":"a","sync_standby":null}')).toEqual({
      ok: true,
      value: { leader: 'a', standbys: [], quorum: 0, version: 0 },
    });
    expect(syncCodec.decode('{"leader":"a","sync_standby":["b"]}')).toMatchObject({
      value: { standbys: ['b'] },
    });
  });

  test('sync carries a version that each write raises, so that no two of them have the same bytes', () => {
    const sync = { leader: 'a', standbys: ['b'], quorum: 0, version: 7 };
    const text = '{"leader":"a","sync_standby":"b","quorum":0,"version":7}';
    expect(syncCodec.encode(sync)).toBe(text);
    expect(syncCodec.decode(text)).toEqual({ ok: true, value: sync });
    const degraded = { leader: 'a', standbys: [], quorum: 0, version: 8 };
    expect(syncCodec.decode(syncCodec.encode(degraded))).toEqual({ ok: true, value: degraded });
    const nobody = { leader: undefined, standbys: [], quorum: 0, version: 9 };
    expect(syncCodec.decode(syncCodec.encode(nobody))).toEqual({ ok: true, value: nobody });
    expect(syncCodec.decode('{"leader":"a","version":-1}').ok).toBe(false);
  });

  test('failsafe, initialize, leader, config', () => {
    const list = { node1: 'http://10.0.0.1:8008/patroni' };
    expect(failsafeCodec.decode(failsafeCodec.encode(list))).toEqual({ ok: true, value: list });
    expect(failsafeCodec.decode('{"node1":5}').ok).toBe(false);
    expect(initializeCodec.decode('')).toEqual({ ok: true, value: '' });
    expect(initializeCodec.decode('7434567890123456789\n')).toEqual({
      ok: true,
      value: '7434567890123456789',
    });
    expect(initializeCodec.decode('yes').ok).toBe(false);
    expect(leaderCodec.decode('node1')).toEqual({ ok: true, value: 'node1' });
    expect(leaderCodec.decode('').ok).toBe(false);
    expect(objectCodec.decode('{"ttl":30,"huge":12345678901234567890}')).toEqual({
      ok: true,
      value: { ttl: 30, huge: 12_345_678_901_234_567_000 },
    });
    expect(objectCodec.decode('[1]').ok).toBe(false);
  });
});

describe('members', () => {
  const member: MemberKey = {
    name: 'node1',
    connUrl: 'postgres://10.0.0.1:5432/postgres',
    apiUrl: 'http://10.0.0.1:8008/patroni',
    state: 'running',
    role: 'primary',
    version: '4.1.4',
    tags: { nofailover: true, weight: 3 },
    timeline: 2,
    xlogLocation: lsn(HUGE),
    checkpointAfterPromote: false,
  };

  test('are written in the order of Patroni and read back', () => {
    const text = encodeMember(member);
    expect(text).toBe(
      '{"conn_url":"postgres://10.0.0.1:5432/postgres","api_url":"http://10.0.0.1:8008/patroni",' +
        '"state":"running","role":"primary","version":"4.1.4","tags":{"nofailover":true,"weight":3},' +
        `"checkpoint_after_promote":false,"xlog_location":${HUGE},"timeline":2}`,
    );
    expect(decodeMember('node1', text)).toEqual({
      ok: true,
      value: expect.objectContaining(member),
    });
  });

  test('role master of old members reads as primary', () => {
    expect(decodeMember('a', '{"role":"master"}')).toMatchObject({ value: { role: 'primary' } });
  });

  test('one odd optional field does not hide the rest', () => {
    const text =
      '{"conn_url":"postgres://h/db","state":"running","timeline":"x","tags":7,"pause":"y"}';
    expect(decodeMember('a', text)).toMatchObject({
      ok: true,
      value: { connUrl: 'postgres://h/db', state: 'running', timeline: undefined, tags: undefined },
    });
  });
});
