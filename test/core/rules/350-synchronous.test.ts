import { ABSENT } from '../../../src/core/cluster.ts';
import type { Slot, SyncKey } from '../../../src/core/cluster.ts';
import { lsn } from '../../../src/core/lsn.ts';
import type { Memory } from '../../../src/core/memory.ts';
import type { ServerFacts } from '../../../src/core/postgres.ts';
import type { SynchronousPolicy } from '../../../src/core/settings.ts';
import { NO_SYNC_FACTS } from '../../../src/core/sync-facts.ts';
import type { SyncFacts } from '../../../src/core/sync-facts.ts';
import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import { aReplicationRow, aSyncKey } from '../../harness/sync-views.ts';
import {
  aMember,
  aMemory,
  aView,
  ago,
  ahead,
  END,
  garbled,
  holding,
  ownRecord,
  present,
  primary,
  seen,
  SELF,
} from '../../harness/views.ts';

const TOLD_AT = ago(9000);
const STARTED = '2026-01-31 12:00:00+00';
const mine = { written: { leaseId: 'g5', index: 40 } };
const nobody = aSyncKey({ standbys: [] });
const key = (given: Partial<SyncKey> = {}): Slot<SyncKey> => present(aSyncKey(given), 40);

/** pg2 leads with pg1 and pg3 as its standbys; `names` are in effect, as told long ago. */
function leads(
  sync: Slot<SyncKey>,
  names: string,
  given: {
    readonly policy?: Partial<SynchronousPolicy>;
    readonly facts?: Partial<ServerFacts>;
    readonly sync?: Partial<SyncFacts>;
    readonly roles?: Readonly<Record<string, string>>;
    readonly tags?: Readonly<Record<string, Record<string, boolean | number>>>;
  } = {},
): View {
  const members = ['pg1', 'pg3'].map((name) =>
    aMember(name, { tags: given.tags?.[name] ?? {}, role: given.roles?.[name] ?? 'replica' }),
  );
  return aView(
    holding(),
    seen(ownRecord({ sync, members: [aMember(SELF, { role: 'primary' }), ...members] }), 500),
    primary({
      replication: [aReplicationRow('pg3')],
      synchronousStandbyNames: names,
      ...given.facts,
    }),
    {
      settings: someSettings({
        policy: {
          useSlots: false,
          synchronous: {
            mode: 'on',
            strict: false,
            nodeCount: 1,
            maximumLagBytes: undefined,
            ...given.policy,
          },
        },
      }),
      sync: { ...NO_SYNC_FACTS, ...mine, told: { names, at: TOLD_AT }, ...given.sync },
    },
  );
}

const remembers = (names: string, given: Partial<Memory> = {}): Memory =>
  aMemory({
    duties: { slotsFor: '', slotsAt: undefined, historyFor: 'g5/3', initializeAt: undefined },
    syncNames: { names, server: STARTED, toldAt: TOLD_AT, seenAt: ago(8000), barrier: END },
    ...given,
  });

const both = [aReplicationRow('pg1'), aReplicationRow('pg3')];
const behind = { flushLsn: lsn(END - 1n) };
const gone = (name: string, millis: number): Partial<Memory> => ({
  syncLagging: { [name]: { flushLsn: undefined, since: ago(millis) } },
});
const write = (given: Partial<SyncKey>, index = 40) =>
  ({ kind: 'write-sync', key: aSyncKey({ version: 5, ...given }), index }) as const;
const tell = (names: string | undefined) => ({ kind: 'set-sync-names', names }) as const;

decides([
  {
    when: 'puts the mode in force before anything is promised: a key with a leader and no voters',
    view: leads(ABSENT, '', { sync: { written: undefined } }),
    memory: remembers(''),
    rule: 'R350',
    actions: [write({ standbys: [], version: 1 }, 0)],
    why: /synchronous replication begins/,
  },
  {
    when: 'writes a key anew that nobody can read',
    view: leads(garbled(40), ''),
    memory: remembers(''),
    rule: 'R350',
    actions: [write({ standbys: [], version: 1 })],
  },
  {
    when: 'makes a key its own that names another leader, without any of its voters',
    view: leads(key({ leader: 'pg1', standbys: ['pg3'] }), '"pg3"'),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [write({ standbys: [] })],
  },
  {
    when: 'has commits wait for a standby before it may be promoted',
    view: leads(present(nobody, 40), ''),
    memory: remembers(''),
    rule: 'R350',
    actions: [tell('"pg3"')],
  },
  {
    when: 'does not put a standby on the record before it has all that was acknowledged without it',
    view: leads(present(nobody, 40), '"pg3"', {
      facts: { replication: [aReplicationRow('pg3', behind)] },
    }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    why: /none may take over yet, waits for pg3 to catch up/,
    remembers: { syncLagging: { pg3: behind } },
  },
  {
    when: 'puts it there as soon as it has',
    view: leads(present(nobody, 40), '"pg3"'),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [write({ standbys: ['pg3'] })],
  },
  {
    when: 'counts from a probe that was asked after another had shown the names already',
    view: leads(present(nobody, 40), '"pg3"', { sync: { told: { names: '"pg3"', at: ago(100) } } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [{ kind: 'probe' }],
    remembers: { syncNames: { toldAt: ago(100), seenAt: ago(5), barrier: undefined } },
  },
  {
    when: 'does not count what was seen of another postmaster',
    view: leads(present(nobody, 40), '"pg3"', { facts: { postmasterStartedAt: 'later' } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    remembers: { syncNames: { server: 'later', barrier: undefined } },
  },
  {
    when: 'does not count an answer that was asked for before Postgres was told',
    view: leads(present(nobody, 40), '"pg3"', { sync: { told: { names: '"pg3"', at: ago(5) } } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [{ kind: 'probe' }],
    remembers: { syncNames: undefined },
  },
  {
    when: 'tells Postgres once more what it shows before it puts anyone on the record: another reload may be on its way',
    view: leads(present(nobody, 40), '"pg3"', { sync: { told: undefined } }),
    memory: remembers('"pg3"', {
      syncNames: {
        names: '"pg3"',
        server: STARTED,
        toldAt: undefined,
        seenAt: ago(8000),
        barrier: END,
      },
    }),
    rule: 'R350',
    actions: [tell('"pg3"')],
  },
  {
    when: 'has nothing to do when all is as asked',
    view: leads(key(), '"pg3"'),
    memory: remembers('"pg3"'),
    rule: 'R350',
    why: /leads under generation 5, synchronous: pg3$/,
  },
  {
    when: 'writes the key once more when it is not known to be the last word: a request without an answer may still commit',
    view: leads(key(), '"pg3"', { sync: { written: undefined } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [write({ standbys: ['pg3'] })],
  },
  {
    when: 'writes it once more when somebody else has written it',
    view: leads(key(), '"pg3"', { sync: { written: { leaseId: 'g5', index: 39 } } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [write({ standbys: ['pg3'] })],
  },
  {
    when: 'takes no step while a write is on its way',
    view: leads(key(), '', { sync: { written: undefined, writing: true } }),
    memory: remembers(''),
    rule: 'R350',
  },
  {
    when: 'tries again after a pause when Consul does not take it',
    view: leads(key(), '"pg3"', { sync: { written: undefined, retryAt: ahead(30) } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    wakeAt: ahead(30),
  },
  {
    when: 'expects a standby back that was there a moment ago',
    view: leads(key(), '"pg3"', { facts: { replication: [] } }),
    memory: remembers('"pg3"', gone('pg3', 1000)),
    rule: 'R350',
    why: /synchronous: pg3/,
  },
  {
    when: 'does not wait for one that was there a moment ago when another is there',
    view: leads(key(), '"pg3"', { facts: { replication: [aReplicationRow('pg1')] } }),
    memory: remembers('"pg3"', gone('pg3', 10)),
    rule: 'R350',
    actions: [tell('2 ("pg1","pg3")')],
  },
  {
    when: 'does not expect the former leader back that still calls itself the primary',
    view: leads(key({ standbys: ['pg1'] }), '"pg1"', {
      facts: { replication: [] },
      roles: { pg1: 'primary' },
    }),
    memory: remembers('"pg1"', gone('pg1', 10)),
    rule: 'R350',
    actions: [write({ standbys: [] })],
  },
  {
    when: 'takes a standby off the record before commits stop waiting for it',
    view: leads(key(), '"pg3"', { facts: { replication: [] } }),
    memory: remembers('"pg3"', gone('pg3', 1001)),
    rule: 'R350',
    actions: [write({ standbys: [] })],
  },
  {
    when: 'then lets them be acknowledged alone',
    view: leads(present(nobody, 40), '"pg3"', { facts: { replication: [] } }),
    memory: remembers('"pg3"', gone('pg3', 1001)),
    rule: 'R350',
    actions: [tell('')],
  },
  {
    when: 'takes off one that is connected and has not come on for five seconds',
    view: leads(key(), '"pg3"', { facts: { replication: [aReplicationRow('pg3', behind)] } }),
    memory: remembers('"pg3"', {
      syncLagging: { pg3: { flushLsn: behind.flushLsn, since: ago(5001) } },
    }),
    rule: 'R350',
    actions: [write({ standbys: [] })],
  },
  {
    when: 'strict: keeps waiting for who is gone',
    view: leads(key(), '"pg3"', { facts: { replication: [] }, policy: { strict: true } }),
    memory: remembers('"pg3"', gone('pg3', 60_000)),
    rule: 'R350',
    why: /synchronous: pg3/,
  },
  {
    when: 'strict: waits for nobody known rather than to acknowledge alone',
    view: leads(present(nobody, 40), '', { facts: { replication: [] }, policy: { strict: true } }),
    memory: remembers(''),
    rule: 'R350',
    actions: [tell('"__pgbaton_nobody__"')],
  },
  {
    when: 'replaces a standby through a time in which both are waited for',
    view: leads(key(), '"pg3"', { facts: { replication: [aReplicationRow('pg1')] } }),
    memory: remembers('"pg3"', gone('pg3', 1001)),
    rule: 'R350',
    actions: [tell('2 ("pg1","pg3")')],
  },
  {
    when: 'keeps the one that it has when another comes',
    view: leads(key(), '"pg3"', { facts: { replication: both } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    why: /synchronous: pg3$/,
  },
  {
    when: 'prefers a higher sync_priority to the one that it has',
    view: leads(key(), '"pg3"', {
      facts: { replication: both },
      tags: { pg1: { sync_priority: 5 } },
    }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [tell('2 ("pg1","pg3")')],
  },
  {
    when: 'quorum: has all of them vote, and waits for any one',
    view: leads(key({ standbys: ['pg1', 'pg3'], quorum: 1 }), 'ANY 1 ("pg1","pg3")', {
      facts: { replication: both },
      policy: { mode: 'quorum' },
    }),
    memory: remembers('ANY 1 ("pg1","pg3")'),
    rule: 'R350',
    why: /synchronous: 1 of pg1, pg3$/,
  },
  {
    when: 'lets nobody be promoted any more once somebody has turned the waiting off',
    view: leads(key(), ''),
    memory: remembers(''),
    rule: 'R350',
    actions: [write({ standbys: [] })],
  },
  {
    when: 'gives up the key before Postgres is told to wait for nobody, when the mode is turned off',
    view: leads(key(), '"pg3"', { policy: { mode: 'off' } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [write({ leader: undefined, standbys: [] })],
  },
  {
    when: 'then leaves the names to the configuration',
    view: leads(key({ leader: undefined, standbys: [] }), '"pg3"', { policy: { mode: 'off' } }),
    memory: remembers('"pg3"'),
    rule: 'R350',
    actions: [tell(undefined)],
  },
  {
    when: 'has nothing to do with either when nothing is asked for',
    view: leads(ABSENT, '', {
      policy: { mode: 'off' },
      sync: { told: { names: undefined, at: TOLD_AT } },
    }),
    memory: remembers(''),
    rule: 'R350',
    why: /leads under generation 5$/,
  },
]);
