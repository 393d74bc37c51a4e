import { ABSENT } from '../../../src/core/cluster.ts';
import type { Slot, SyncKey } from '../../../src/core/cluster.ts';
import type { SynchronousPolicy } from '../../../src/core/settings.ts';
import { NO_SYNC_FACTS } from '../../../src/core/sync-facts.ts';
import type { SyncFacts } from '../../../src/core/sync-facts.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import { aSyncKey } from '../../harness/sync-views.ts';
import {
  ahead,
  aView,
  garbled,
  holding,
  ownRecord,
  present,
  seen,
  standby,
} from '../../harness/views.ts';

const NOBODY = '"__pgbaton_nobody__"';
const written = { leaseId: 'g5', index: 40 };

/** pg2 has won the lease, and is still a standby. */
function won(
  sync: Slot<SyncKey>,
  policy: Partial<SynchronousPolicy> = {},
  given: Partial<SyncFacts> = {},
  initialize?: Slot<string>,
): View {
  const record = ownRecord({ sync, ...(initialize === undefined ? {} : { initialize }) });
  return aView(holding(), seen(record, 90), standby(), {
    settings: someSettings({
      policy: {
        synchronous: {
          mode: 'on',
          strict: false,
          nodeCount: 1,
          maximumLagBytes: undefined,
          ...policy,
        },
      },
    }),
    sync: { ...NO_SYNC_FACTS, written, ...given },
  });
}

const key = (given: Partial<SyncKey> = {}): Slot<SyncKey> => present(aSyncKey(given), 40);
const promotes = (names: string | undefined) => [{ kind: 'promote', names } as const];

decides([
  {
    when: 'has the first commit wait for whom the key names already',
    view: won(key({ standbys: ['pg1'] })),
    rule: 'R320',
    actions: promotes('"pg1"'),
  },
  {
    when: 'waits for so many of them that any quorum has one of these',
    view: won(key({ standbys: ['pg1', 'pg3', 'pg4'], quorum: 1 }), { mode: 'quorum' }),
    rule: 'R320',
    actions: promotes('ANY 2 ("pg1","pg3","pg4")'),
  },
  {
    when: 'acknowledges alone where nobody else may be promoted',
    view: won(key({ standbys: [] })),
    rule: 'R320',
    actions: promotes(''),
  },
  {
    when: 'strict: acknowledges nothing alone',
    view: won(key({ standbys: [] }), { strict: true }),
    rule: 'R320',
    actions: promotes(NOBODY),
  },
  {
    when: 'goes by the key that is in force when the mode has been turned off since',
    view: won(key({ standbys: ['pg1'] }), { mode: 'off' }),
    rule: 'R320',
    actions: promotes('"pg1"'),
  },
  {
    when: 'writes the key once more first when it is not known to be the last word',
    view: won(key(), {}, { written: undefined }),
    rule: 'R320',
    actions: [{ kind: 'write-sync', key: aSyncKey({ version: 5 }), index: 40 }],
    waitsFor: /Consul to confirm key sync/,
    wakeAt: ahead(100),
  },
  {
    when: 'makes a key that nobody can read one without voters first',
    view: won(garbled(40), {}, { written: undefined }),
    rule: 'R320',
    actions: [{ kind: 'write-sync', key: aSyncKey({ standbys: [], version: 1 }), index: 40 }],
  },
  {
    when: 'waits for the answer of such a write',
    view: won(key(), {}, { written: undefined, writing: true }),
    rule: 'R320',
    wakeAt: ahead(100),
  },
  {
    when: 'reads again when the key that it wrote itself does not show',
    view: won(ABSENT),
    rule: 'R320',
    actions: [{ kind: 'write-sync', key: aSyncKey({ standbys: [], version: 1 }), index: 0 }],
  },
  {
    when: 'strict, and not in force yet: acknowledges nothing alone',
    view: won(ABSENT, { strict: true }, { written: undefined }),
    rule: 'R320',
    actions: promotes(NOBODY),
  },
  {
    when: 'strict, and the cluster is new: its roles are made before there can be a standby',
    view: won(ABSENT, { strict: true }, { written: undefined }, ABSENT),
    rule: 'R320',
    actions: promotes(''),
  },
  {
    when: 'leaves the names to the configuration when nothing is synchronous',
    view: won(ABSENT, { mode: 'off' }, { written: undefined }),
    rule: 'R320',
    actions: promotes(undefined),
  },
]);
