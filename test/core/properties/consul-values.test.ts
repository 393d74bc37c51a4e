import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  FailoverRequest,
  Generation,
  HistoryEntry,
  Lease,
  MemberKey,
  Slot,
  Status,
  SyncKey,
} from '../../../src/core/cluster.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { lsn } from '../../../src/core/lsn.ts';
import { decodeCluster } from '../../../src/wire/consul/cluster.ts';
import type { Codec } from '../../../src/wire/consul/codec.ts';
import { clusterPrefix, memberNameOf } from '../../../src/wire/consul/keys.ts';
import type { KvEntry } from '../../../src/wire/consul/kv.ts';
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

const text = fc.string({ unit: 'grapheme' });
const someText = fc.string({ unit: 'grapheme', minLength: 1 });
/** A member's name as Patroni and PostgreSQL take them. */
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/);
const position = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(lsn);
const count = fc.maxSafeNat();
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });
const jsonObject = fc
  .dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), {
    noNullPrototype: true,
    maxKeys: 5,
  })
  // Minus nought is written as nought.
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);

const generation: fc.Arbitrary<Generation> = fc.record({
  n: count,
  id: someText,
  holder: someText,
  timeline: count,
  switchLsn: position,
  ancestors: fc.array(fc.record({ id: text, timeline: count, switchLsn: position }), {
    maxLength: 4,
  }),
});
const lease: fc.Arbitrary<Lease> = fc.record({
  id: someText,
  n: count,
  incarnation: someText,
  beat: count,
  ttlMillis: fc.integer({ min: 1, max: 2_147_483_647 }),
  released: maybe(
    fc.record({ handoff: maybe(text), lsn: maybe(position), exclude: fc.array(text) }),
  ),
});
const status: fc.Arbitrary<Status> = fc.record({
  optime: position,
  slots: fc.dictionary(fc.stringMatching(/^[a-z0-9_]{1,63}$/), position, { noNullPrototype: true }),
  retainSlots: fc.array(text),
});
const failover: fc.Arbitrary<FailoverRequest> = fc.record({
  leader: maybe(someText),
  candidate: maybe(someText),
  scheduledAt: maybe(someText),
});
const history: fc.Arbitrary<readonly HistoryEntry[]> = fc.array(
  fc
    .record({
      timeline: fc.integer({ min: 1 }),
      lsn: position,
      reason: text,
      timestamp: maybe(text),
      leader: maybe(text),
    })
    .map((entry) => (entry.timestamp === undefined ? { ...entry, leader: undefined } : entry)),
);
const sync: fc.Arbitrary<SyncKey> = fc.record({
  leader: maybe(name),
  standbys: fc.array(name),
  quorum: count,
  version: count,
});
const failsafe = fc.dictionary(name, text, { noNullPrototype: true });
const memberKey: fc.Arbitrary<MemberKey> = fc.record({
  name,
  connUrl: text,
  apiUrl: text,
  state: text,
  role: text.filter((role) => role !== 'master'),
  version: text,
  proxyUrl: maybe(text),
  timeline: maybe(count),
  xlogLocation: maybe(position),
  receiveLsn: maybe(position),
  replayLsn: maybe(position),
  replicationState: maybe(text),
  tags: maybe(jsonObject),
  pendingRestart: maybe(fc.boolean()),
  pendingRestartReason: maybe(jsonObject),
  checkpointAfterPromote: maybe(fc.boolean()),
  pause: maybe(fc.boolean()),
});

const returns = <T>(codec: Codec<T>, value: fc.Arbitrary<T>): void =>
  fc.assert(
    fc.property(value, (written) => {
      expect(codec.decode(codec.encode(written))).toEqual({ ok: true, value: written });
    }),
  );

describe('what a member writes into a key, every other one reads', () => {
  test('generation', () => returns(generationCodec, generation));
  test('lease', () => returns(leaseCodec, lease));
  test('status', () => returns(statusCodec, status));
  test('failover', () => returns(failoverCodec, failover));
  test('history', () => returns(historyCodec, history));
  test('sync', () => returns(syncCodec, sync));
  test('failsafe', () => returns(failsafeCodec, failsafe));
  test('config', () => returns(objectCodec, jsonObject));
  test('initialize', () =>
    returns(
      initializeCodec,
      fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map((identifier) => String(identifier)),
    ));
  test('leader', () => returns(leaderCodec, name));
  test('members/<name>', () => {
    fc.assert(
      fc.property(memberKey, (written) => {
        const read = decodeMember(written.name, encodeMember(written));
        expect(read).toEqual({ ok: true, value: written });
      }),
    );
  });
});

describe('no two beats of one holder', () => {
  test('are the same bytes: Consul would not move the index', () => {
    fc.assert(
      fc.property(lease, count, (of, beat) => {
        fc.pre(beat !== of.beat);
        expect(leaseCodec.encode({ ...of, beat })).not.toBe(leaseCodec.encode(of));
      }),
    );
  });
});

const KEYS = [
  'generation',
  'lease',
  'leader',
  'status',
  'initialize',
  'config',
  'failover',
  'history',
  'sync',
  'failsafe',
] as const;
const PREFIX = clusterPrefix('service', 'demo');

/** Anything at all, and what was right but for a few characters. */
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const encoded = fc.oneof(
  generation.map((value) => generationCodec.encode(value)),
  lease.map((value) => leaseCodec.encode(value)),
  status.map((value) => statusCodec.encode(value)),
  history.map((value) => historyCodec.encode(value)),
  sync.map((value) => syncCodec.encode(value)),
  memberKey.map((value) => encodeMember(value)),
);
const spoilt = fc
  .tuple(
    encoded,
    fc.nat(200),
    fc.nat(9),
    fc.constantFrom('', '"', '{', ']', '-1', '1e999', 'null', '\0'),
  )
  .map(([written, at, length, put]) => written.slice(0, at) + put + written.slice(at + length));
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.json().map(bytes),
  encoded.map(bytes),
  spoilt.map(bytes),
);
const entries = fc.uniqueArray(
  fc.record({
    path: fc
      .oneof(
        fc.constantFrom(...KEYS, 'members/', 'events/1'),
        name.map((of) => `members/${of}`),
        text,
      )
      .map((key) => PREFIX + key),
    value: anything,
    modifyIndex: fc.integer({ min: 1 }),
    session: maybe(text),
  }),
  { selector: ({ path }) => path, maxLength: 8 },
);

describe('whatever bytes are in the store', () => {
  test('every key is absent if it is, else present or garbled, with its own index', () => {
    fc.assert(
      fc.property(entries, (stored: readonly KvEntry[]) => {
        const record = decodeCluster(PREFIX, stored);
        for (const key of KEYS) {
          const slot: Slot<unknown> = record[key];
          const entry = stored.find(({ path }) => path === PREFIX + key);
          expect(slot.kind === 'absent').toBe(entry === undefined);
          if (slot.kind !== 'absent') expect(slot.index).toBe(entry?.modifyIndex);
          if (slot.kind === 'garbled') expect(slot.reason).not.toBe('');
        }
      }),
      { numRuns: 600 },
    );
  });

  test('every member key is a member, if only by its name', () => {
    fc.assert(
      fc.property(entries, (stored: readonly KvEntry[]) => {
        const named = stored.flatMap(({ path }) => memberNameOf(path.slice(PREFIX.length)) ?? []);
        const { members } = decodeCluster(PREFIX, stored);
        expect(members.map(({ key }) => key.name).toSorted()).toEqual(named.toSorted());
        for (const { key } of members) expect(typeof key.apiUrl).toBe('string');
      }),
      { numRuns: 300 },
    );
  });

  test('keys of another cluster, whatever its name begins with, are none of ours', () => {
    fc.assert(
      fc.property(entries, name, (stored: readonly KvEntry[], suffix) => {
        const others = stored.map((entry) => ({
          ...entry,
          path: entry.path.replace(PREFIX, `service/demo${suffix}/`),
        }));
        expect(decodeCluster(PREFIX, others)).toEqual(decodeCluster(PREFIX, []));
      }),
    );
  });
});

describe("Patroni's documents", () => {
  test('a status of any version gives its position', () => {
    fc.assert(
      fc.property(position, status, (optime, { slots, retainSlots }) => {
        const shown = Object.entries(slots).map(([slot, at]) => `"${slot}":${at}`);
        const versions = [
          String(optime),
          `{"optime":${optime}}`,
          `{"optime":${optime},"slots":{${shown.join(',')}}}`,
          `{"optime": ${optime}, "slots": null, "retain_slots": ${JSON.stringify(retainSlots)}}`,
        ];
        for (const version of versions) {
          const read = statusCodec.decode(version);
          expect(read.ok ? read.value.optime : read.error).toBe(optime);
        }
      }),
    );
  });

  test('a request in the old form is read like one in the new', () => {
    fc.assert(
      fc.property(maybe(name), maybe(name), (leader, candidate) => {
        const old = failoverCodec.decode(`${leader ?? ''}:${candidate ?? ''}`);
        expect(old).toEqual({ ok: true, value: { leader, candidate, scheduledAt: undefined } });
      }),
    );
  });

  test('a list of synchronous standbys is read, with commas or as a list', () => {
    fc.assert(
      fc.property(name, fc.array(name, { minLength: 1 }), (leader, standbys) => {
        const expected = { ok: true, value: { leader, standbys, quorum: 0, version: 0 } };
        const commas = JSON.stringify({ leader, sync_standby: standbys.join(', ') });
        expect(syncCodec.decode(commas)).toEqual(expected);
        expect(syncCodec.decode(JSON.stringify({ leader, sync_standby: standbys }))).toEqual(
          expected,
        );
      }),
    );
  });

  test('one odd field hides nothing else of a member', () => {
    const optional = ['proxy_url', 'timeline', 'xlog_location', 'tags', 'pending_restart', 'pause'];
    fc.assert(
      fc.property(
        memberKey,
        fc.constantFrom(...optional),
        fc.jsonValue(),
        (written, field, odd) => {
          const document = JSON.parse(
            encodeMember({
              ...written,
              xlogLocation: undefined,
              receiveLsn: undefined,
              replayLsn: undefined,
            }),
          ) as JsonObject;
          const read = decodeMember(written.name, JSON.stringify({ ...document, [field]: odd }));
          expect(read).toMatchObject({
            ok: true,
            value: { connUrl: written.connUrl, apiUrl: written.apiUrl, state: written.state },
          });
        },
      ),
    );
  });
});
