import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import { aReplicationRow, aSyncKey } from '../../harness/sync-views.ts';
import { NO_SYNC_FACTS } from '../../../src/core/sync-facts.ts';
import type { View } from '../../../src/core/view.ts';
import {
  aMember,
  asked,
  aView,
  command,
  holding,
  opinion,
  ownRecord,
  present,
  primary,
  seen,
  SELF,
} from '../../harness/views.ts';

/** pg2 leads, and these have its synchronous commits. */
function leads(standbys: readonly string[], ...parts: readonly Partial<View>[]): View {
  const members = [aMember('pg1'), aMember(SELF, { role: 'primary' }), aMember('pg3')];
  const names = standbys.map((name) => `"${name}"`).join();
  return aView(
    holding(),
    seen(ownRecord({ members, sync: present(aSyncKey({ standbys }), 40) }), 500),
    primary({
      replication: standbys.map((name) => aReplicationRow(name)),
      synchronousStandbyNames: names,
    }),
    {
      settings: someSettings({
        policy: {
          useSlots: false,
          synchronous: { mode: 'on', strict: false, nodeCount: 1, maximumLagBytes: undefined },
        },
      }),
      sync: { ...NO_SYNC_FACTS, written: { leaseId: 'g5', index: 40 } },
    },
    asked(opinion('pg1'), opinion('pg3')),
    ...parts,
  );
}

const switchover = (candidate: string | undefined, millisAgo = 40) =>
  command({ kind: 'switchover', candidate }, millisAgo);
const refused = (message: RegExp) => ({
  when: '',
  rule: 'R230',
  actions: ['answer' as const],
  why: message,
});

decides([
  {
    when: 'hands over to the synchronous standby, not to the first that answers',
    view: leads(['pg3'], switchover(undefined)),
    rule: 'R230',
    why: /switchover to pg3 begins$/,
    remembers: { handover: { candidate: 'pg3' } },
  },
  {
    ...refused(/candidate name does not match with sync_standby/),
    when: 'refuses a switchover to any other',
    view: leads(['pg3'], switchover('pg1')),
  },
  {
    when: 'leaves a moment to take in a standby: the duties of a leader go on',
    view: leads([], switchover('pg1', 2999)),
    rule: 'R350',
    actions: ['write-history'],
  },
  {
    ...refused(/can not find sync_standby/),
    when: 'refuses when there is none',
    view: leads([], switchover(undefined, 3000)),
  },
  {
    when: 'fails over to any other when an operator asks for it, with the whole log',
    view: leads(['pg3'], command({ kind: 'failover', candidate: 'pg1' })),
    rule: 'R230',
    why: /pg1 begins, which is no synchronous standby: it leads only with the whole log/,
    remembers: { handover: { candidate: 'pg1' } },
  },
  {
    when: 'hands over to a synchronous standby first when it is told to stop',
    view: leads(['pg3'], command({ kind: 'shutdown' })),
    rule: 'R220',
    why: /hands over to pg3/,
  },
  {
    when: 'hands over to any other when it is told to stop and there is none: the release says where the log ends',
    view: leads([], command({ kind: 'shutdown' })),
    rule: 'R220',
    why: /hands over to pg1/,
  },
]);
