import type { SlotRow } from '../../../src/core/postgres.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aMemory,
  aView,
  ago,
  ahead,
  holding,
  lapsed,
  NOW,
  ownRecord,
  present,
  primary,
  seen,
  SELF,
} from '../../harness/views.ts';

const slot = (name: string): SlotRow => ({
  name,
  physical: true,
  active: true,
  restartLsn: undefined,
  walStatus: 'reserved',
});
const slots = [slot('pg1'), slot('pg3')];
const settled = aMemory({
  duties: {
    slotsFor: 'pg1,pg3@3',
    slotsAt: ago(1000),
    historyFor: 'g5/3',
    initializeAt: undefined,
  },
});
const newTimeline = seen(
  ownRecord({ generation: present(aGeneration({ holder: SELF, timeline: 0 })) }),
  500,
);
const reconcile = [{ kind: 'reconcile-slots', wanted: ['pg1', 'pg3'], mayDrop: ['pg2'] }] as const;

decides([
  {
    when: 'has nothing to do when all duties are done',
    view: aView(holding(), primary({ slots })),
    memory: settled,
    rule: 'R350',
    why: /leads under generation 5/,
  },
  {
    when: 'leads until the lease ends',
    view: aView(holding({ end: ahead(1) }), primary({ slots })),
    memory: settled,
    rule: 'R350',
  },
  {
    when: 'fences instead at the end of the lease',
    view: aView(lapsed(), primary({ slots })),
    memory: settled,
    rule: 'R110',
    actions: ['fence'],
  },
  {
    when: 'remembers on disk under which generation it promoted, before anything else',
    view: aView(holding(), newTimeline, primary({ slots }), { host: aHost() }),
    memory: aMemory({ duties: { ...settled.duties, historyFor: undefined } }),
    rule: 'R350',
    actions: [{ kind: 'remember-promotion' }],
  },
  {
    when: 'then records its promotion, before the history',
    view: aView(holding(), newTimeline, primary({ slots })),
    memory: aMemory({ duties: { ...settled.duties, historyFor: undefined } }),
    rule: 'R350',
    actions: [{ kind: 'record-promotion' }],
  },
  {
    when: 'writes the history of a new timeline, and holds it for written only when it is',
    view: aView(holding(), primary({ slots })),
    memory: aMemory({ duties: { ...settled.duties, historyFor: 'g4/2' } }),
    rule: 'R350',
    actions: [{ kind: 'write-history', historyFor: 'g5/3' }],
    remembers: { duties: { historyFor: 'g4/2' } },
  },
  {
    when: 'keeps WAL for every other member, and drops its own former slot',
    view: aView(holding(), primary({ slots: [] })),
    memory: aMemory({ duties: { ...settled.duties, slotsFor: '' } }),
    rule: 'R350',
    actions: reconcile,
    remembers: { duties: { slotsFor: 'pg1,pg3@3', slotsAt: NOW } },
  },
  {
    when: 'makes a slot that vanished again',
    view: aView(holding(), primary({ slots: [slot('pg1')] })),
    memory: aMemory({ duties: { ...settled.duties, slotsAt: ago(10_001) } }),
    rule: 'R350',
    actions: reconcile,
  },
  {
    when: 'does not insist on a vanished slot more than every ten seconds',
    view: aView(holding(), primary({ slots: [slot('pg1')] })),
    memory: aMemory({ duties: { ...settled.duties, slotsAt: ago(10_000) } }),
    rule: 'R350',
  },
  {
    when: 'leaves slots alone when use_slots is off',
    view: aView(holding(), primary({ slots: [] }), {
      settings: someSettings({ policy: { useSlots: false } }),
    }),
    memory: aMemory({ duties: { ...settled.duties, slotsFor: '' } }),
    rule: 'R350',
  },
  {
    when: 'forgets that it once failed to promote',
    view: aView(holding(), primary({ slots })),
    memory: { ...settled, abstain: { until: ahead(5000), forMillis: 6000 } },
    rule: 'R350',
    remembers: { abstain: undefined },
  },
  {
    when: 'records nothing under a generation that is not its own',
    view: aView(
      holding({ id: 'g6', n: 6 }),
      seen(ownRecord({ generation: present(aGeneration({ timeline: 0 })) }), 500),
      primary({ slots }),
    ),
    memory: settled,
    rule: 'R350',
  },
  {
    when: 'says that commits wait for the lease',
    view: aView(holding(), primary({ slots }), { brake: 'held' }),
    memory: settled,
    rule: 'R350',
    why: /holds commits until the lease is renewed/,
  },
  {
    when: 'says that Postgres stands still for the lease',
    view: aView(holding(), primary({ slots }), { brake: 'frozen' }),
    memory: settled,
    rule: 'R350',
    why: /has stopped Postgres where it is until the lease is renewed/,
  },
  {
    when: 'leads on while Consul cannot be read',
    view: aView(holding(), primary(), { cluster: undefined, observation: undefined }),
    rule: 'R350',
  },
]);
