import * as fc from 'fast-check';
import { ABSENT } from '../../src/core/cluster.ts';
import type { Slot, SyncKey } from '../../src/core/cluster.ts';
import { lsn } from '../../src/core/lsn.ts';
import type { SyncNamesSeen } from '../../src/core/memory.ts';
import type { ReplicationRow } from '../../src/core/postgres.ts';
import type { SynchronousPolicy } from '../../src/core/settings.ts';
import type { SyncFacts } from '../../src/core/sync-facts.ts';
import type { HostMemory } from '../../src/core/view.ts';
import { maybe, MEMBERS } from './arbitrary-values.ts';
import { aReplicationRow } from './sync-views.ts';
import { ago, ahead, END, garbled, present, SWITCH } from './views.ts';

/** What there is of synchronous replication in a View, each part on its own. */
const NAMES = ['', '"pg1"', '2 ("pg1","pg3")', 'ANY 1 ("pg1","pg3")', '"__pgbaton_nobody__"', '-'];

const syncKey: fc.Arbitrary<SyncKey> = fc.record({
  leader: maybe(fc.constantFrom(...MEMBERS)),
  standbys: fc.subarray(['pg1', 'pg3']),
  quorum: fc.integer({ min: 0, max: 2 }),
  version: fc.integer({ min: 0, max: 3 }),
});

export const syncSlot: fc.Arbitrary<Slot<SyncKey>> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(syncKey, fc.constantFrom(1, 2)).map(([of, at]) => present(of, at)),
  },
  { weight: 4, arbitrary: fc.constant(ABSENT) },
  { weight: 1, arbitrary: fc.constant(garbled(1)) },
);

export const syncFacts: fc.Arbitrary<SyncFacts> = fc.record({
  written: maybe(fc.record({ leaseId: fc.constantFrom('g5', 'g6'), index: fc.constantFrom(1, 2) })),
  writing: fc.boolean(),
  retryAt: fc.constantFrom(undefined, undefined, ago(1), ahead(50)),
  told: maybe(
    fc.record({
      names: fc.constantFrom(undefined, ...NAMES),
      at: fc.constantFrom(ago(5), ago(1500), ago(9000)),
    }),
  ),
});

export const rememberedSync: fc.Arbitrary<HostMemory['sync']> = fc.oneof(
  fc.constant(undefined),
  fc.record({ n: fc.integer({ min: 3, max: 8 }), key: syncKey }),
);

export const synchronousPolicy: fc.Arbitrary<SynchronousPolicy> = fc.record({
  mode: fc.constantFrom('off', 'off', 'on', 'quorum' as const),
  strict: fc.boolean(),
  nodeCount: fc.constantFrom(1, 2),
  maximumLagBytes: fc.constantFrom(undefined, 1024),
});

export const syncNames = fc.constantFrom(...NAMES);

const row = fc
  .record({
    applicationName: fc.constantFrom('pg1', 'pg3', 'PG3', 'pg_receivewal'),
    state: fc.constantFrom('streaming', 'catchup'),
    flushLsn: maybe(fc.constantFrom(SWITCH, END - 1n, END, END + 1n).map(lsn)),
  })
  .map((given) => aReplicationRow(given.applicationName, given));

export const replicationRows: fc.Arbitrary<readonly ReplicationRow[]> = fc.array(row, {
  maxLength: 3,
});

export const syncNamesSeen: fc.Arbitrary<SyncNamesSeen | undefined> = maybe(
  fc.record({
    names: syncNames,
    server: fc.constant('2026-01-31 12:00:00+00'),
    toldAt: fc.constantFrom(undefined, ago(1500), ago(9000)),
    seenAt: fc.constantFrom(ago(5), ago(500)),
    barrier: maybe(fc.constant(END)),
  }),
);
