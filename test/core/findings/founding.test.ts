import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import {
  aHost,
  ahead,
  anEmptyRecord,
  asked,
  aView,
  opinion,
  seen,
  SILENCE_MILLIS,
  withoutData,
} from '../../harness/views.ts';

// 1. Consul comes back empty while pg1 leads on promises, or while all members are cut off from it.
// 2. A member without a data directory reads that nobody ever was a cluster, and founds a new one:
//    of another system identifier, with the name of the old one.
const NONE = { n: 0, id: undefined };
const NEW_HOST = aHost({ floor: NONE, systemIdentifier: undefined, followed: undefined });
const empty = (...parts: readonly Partial<View>[]): View =>
  aView(seen(anEmptyRecord(), SILENCE_MILLIS), withoutData(), { host: NEW_HOST }, ...parts);

decides([
  {
    when: 'who promised a leader to hold back founds nothing meanwhile',
    view: empty(asked(), {
      promised: { leaseId: 'g5', until: ahead(3000), aloneUntil: ahead(15_000) },
    }),
    rule: 'R420',
    why: /promised a leader/,
    wakeAt: ahead(3000),
  },
  {
    when: 'a host that belonged to a cluster never founds another',
    view: empty(asked(), { host: aHost() }),
    rule: 'R420',
    why: /belonged to a cluster/,
  },
  {
    when: 'the members are asked before a cluster is founded',
    view: empty(),
    rule: 'R420',
    actions: ['canvass'],
  },
  {
    when: 'nothing is founded beside a member that holds a lease',
    view: empty(asked(opinion('pg1', { holdsLease: { id: 'g5', n: 5 } }))),
    rule: 'R420',
    why: /holds a valid lease/,
  },
  {
    when: 'nothing is founded beside a member that has data',
    view: empty(asked(opinion('pg3', { highestGeneration: NONE }))),
    rule: 'R420',
    why: /has the data of a cluster/,
  },
  {
    when: 'a new cluster is founded when everybody who answers is as new',
    view: empty(asked(opinion('pg3', { systemIdentifier: undefined, highestGeneration: NONE }))),
    rule: 'R420',
    actions: [{ kind: 'takeover', n: 1, basis: 'bootstrap' }],
  },
]);
