import type { MemberKey } from '../../../src/core/cluster.ts';
import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aMember,
  aMemory,
  anEmptyRecord,
  aRecord,
  aView,
  ago,
  ahead,
  down,
  holding,
  present,
  released,
  seen,
  SELF,
  standby,
  upstream,
  withoutData,
} from '../../harness/views.ts';

const cloneFrom = (name: string) => [
  {
    kind: 'clone',
    source: upstream(name),
    target: { upstream: upstream(name), slotName: SELF },
  } as const,
];
const others = (...keys: readonly (readonly [string, Partial<MemberKey>])[]) =>
  seen(
    aRecord({
      members: [aMember(SELF), ...keys.map(([name, key]) => aMember(name, key))],
    }),
    200,
  );
const leads = ['pg1', { role: 'primary' }] as const;
const willing = ['pg3', { tags: { clonefrom: true } }] as const;
const failed = (count: number, millisAgo: number) =>
  aMemory({ failures: { kind: 'clone', count, lastAt: ago(millisAgo), code: 'test' } });
const replace = aMemory({
  reclone: { since: ago(100), why: 'an operator asked for it', fromLeader: true },
});

decides([
  {
    when: 'clones the leader into an empty directory',
    view: aView(withoutData()),
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'does not clone the leader that a store of the past shows: whose log it would be is not known',
    view: aView(withoutData(), { host: aHost({ floor: { n: 6, id: 'g6' } }) }),
    rule: 'R510',
    actions: [],
    why: /older generation/,
  },
  {
    when: 'keeps the data that are to be replaced while the leader is gone: they may be the only ones',
    view: aView(down(), seen(aRecord(), 3080)),
    memory: replace,
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'clones a member with tag clonefrom instead of the leader',
    view: aView(withoutData(), others(leads, willing)),
    rule: 'R510',
    actions: cloneFrom('pg3'),
  },
  {
    when: 'does not clone a clonefrom member that is not running',
    view: aView(
      withoutData(),
      others(leads, ['pg3', { tags: { clonefrom: true }, state: 'starting' }]),
    ),
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'goes back to the leader when a clone failed',
    view: aView(withoutData(), others(leads, willing)),
    memory: failed(1, 2000),
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'pauses longer after each failure',
    view: aView(withoutData()),
    memory: failed(3, 7999),
    rule: 'R510',
    why: /failed 3 times/,
    wakeAt: ahead(1),
  },
  {
    when: 'pauses for a minute at most',
    view: aView(withoutData()),
    memory: failed(30, 60_000),
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'clones over a rewind that was broken off: its data are never started',
    view: aView(withoutData({ kind: 'unfinished', work: 'rewind', systemIdentifier: undefined })),
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'uses no slot when use_slots is off',
    view: aView(withoutData(), { settings: someSettings({ policy: { useSlots: false } }) }),
    rule: 'R510',
    actions: [
      {
        kind: 'clone',
        source: upstream('pg1'),
        target: { upstream: upstream('pg1'), slotName: undefined },
      },
    ],
  },
  {
    when: 'waits for a cluster',
    view: aView(withoutData(), seen(anEmptyRecord(), 200), {
      settings: someSettings({ mayBootstrap: false }),
    }),
    rule: 'R420',
    why: /no bootstrap section/,
  },
  {
    when: 'waits for a leader',
    view: aView(withoutData(), seen(aRecord({ lease: released() }), 200)),
    rule: 'R510',
    waitsFor: /^a leader$/,
  },
  {
    when: 'waits until the leader has promoted',
    view: aView(
      withoutData(),
      seen(aRecord({ generation: present(aGeneration({ timeline: 0 })) }), 200),
    ),
    rule: 'R510',
    waitsFor: /pg1 to finish its promotion/,
  },
  {
    when: 'waits for an address that it can read',
    view: aView(withoutData(), others(['pg1', { role: 'primary', connUrl: 'nonsense' }])),
    rule: 'R510',
    waitsFor: /key members\/pg1/,
  },
  {
    when: 'stops Postgres before it replaces the data',
    view: aView(standby()),
    memory: replace,
    rule: 'R510',
    actions: [{ kind: 'stop', mode: 'fast' }],
    why: /an operator asked for it/,
  },
  {
    when: 'replaces the data once Postgres is down',
    view: aView(down()),
    memory: replace,
    rule: 'R510',
    actions: cloneFrom('pg1'),
  },
  {
    when: 'makes a candidate of the data that were to be replaced, when there is no leader to clone',
    view: aView(down(), seen(aRecord({ lease: released() }), 200)),
    memory: replace,
    rule: 'R520',
    actions: ['start'],
  },
  {
    when: 'leaves a server running whose data were to be replaced, when there is no leader to clone',
    view: aView(standby(), seen(aRecord({ lease: released() }), 200)),
    memory: replace,
    rule: 'R410',
    actions: ['canvass'],
  },
  {
    when: 'replaces nothing while it holds the lease',
    view: aView(holding(), down()),
    memory: replace,
    rule: 'R310',
    actions: ['fence', 'start'],
  },
  {
    when: 'compares instead when it has data',
    view: aView(down()),
    rule: 'R520',
    actions: ['diagnose'],
  },
]);
