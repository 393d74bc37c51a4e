import { ABSENT } from '../../../src/core/cluster.ts';
import type { ClusterRecord } from '../../../src/core/cluster.ts';
import { waitMillis } from '../../../src/core/lease.ts';
import { decides } from '../../harness/rule-table.ts';
import { TTL_MILLIS } from '../../harness/settings.ts';
import {
  ago,
  aGeneration,
  aHost,
  aMemory,
  anEmptyRecord,
  asked,
  aView,
  holding,
  observed,
  ownRecord,
  present,
  released,
  seen,
  SELF,
  withoutData,
} from '../../harness/views.ts';

// 1. A member founds the cluster; initdb fails once (a full disk, a typo in its options).
// 2. It gives the lease back, excluding itself, so that others may try first.
// 3. The operator corrects it. Nobody else tries: this member is the only one.
const generation = present(aGeneration({ holder: SELF, timeline: 0, ancestors: [] }), 15);
const FAILED = aMemory({
  failures: { kind: 'initialise', count: 1, lastAt: ago(5), code: 'postgres-initdb-failed' },
});
const NEW_HOST = {
  host: aHost({ floor: { n: 5, id: 'g5' }, systemIdentifier: undefined, followed: undefined }),
};
const given = (): Partial<ClusterRecord> => ({
  generation,
  lease: released({ exclude: [SELF], lsn: undefined }),
});
/** The release counts as a lease like any other, and the own exclusion as one more. */
const PATIENCE_MILLIS = 4 * waitMillis(TTL_MILLIS);

decides([
  {
    when: 'a founder whose initdb failed lets others try first, and forgets the failure',
    view: aView(holding(), withoutData(), NEW_HOST, {
      cluster: observed(ownRecord({ initialize: ABSENT, generation })),
    }),
    memory: FAILED,
    rule: 'R310',
    actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [SELF] }],
    remembers: { failures: undefined },
  },
  {
    when: 'alone, even the one that failed tries again',
    view: aView(seen(anEmptyRecord(given()), PATIENCE_MILLIS), withoutData(), NEW_HOST, asked()),
    rule: 'R420',
    actions: [{ kind: 'takeover', n: 6, basis: 'bootstrap' }],
  },
  {
    when: 'the next try initialises again',
    view: aView(holding(), withoutData(), NEW_HOST, {
      cluster: observed(ownRecord({ initialize: ABSENT, generation })),
    }),
    rule: 'R310',
    actions: ['initialise'],
  },
]);
