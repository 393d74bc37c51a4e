import { decides } from '../../harness/rule-table.ts';
import { someSettings } from '../../harness/settings.ts';
import {
  aGeneration,
  aHost,
  aMemory,
  aView,
  ago,
  anEmptyRecord,
  garbled,
  holding,
  ownRecord,
  present,
  primary,
  seen,
  SELF,
  standby,
  SWITCH,
  SYSTEM,
} from '../../harness/views.ts';

const unrecorded = seen(
  anEmptyRecord({ generation: present(aGeneration({ holder: SELF, timeline: 1 })) }),
  100,
);
const founding = { host: aHost({ founding: SYSTEM, systemIdentifier: undefined }) };
const promoted = aHost({ promotions: [{ id: 'g5', timeline: 3, switchLsn: SWITCH }] });
const record = [{ kind: 'write-initialize', systemIdentifier: SYSTEM }] as const;
const failures = (count: number) =>
  aMemory({ failures: { kind: 'finish-bootstrap', count, lastAt: ago(10), code: 'test' } });

decides([
  {
    when: 'makes the roles of a cluster that this host has founded',
    view: aView(holding(), unrecorded, primary(), founding),
    rule: 'R340',
    actions: [{ kind: 'finish-bootstrap' }],
  },
  {
    when: 'records the cluster once the roles are made',
    view: aView(holding(), unrecorded, primary(), { host: aHost({ founding: SYSTEM }) }),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'records data that were there before, without running any bootstrap on them',
    view: aView(holding(), unrecorded, primary(), {
      host: aHost({ systemIdentifier: undefined }),
    }),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'runs no bootstrap on data that another founding made',
    view: aView(holding(), unrecorded, primary(), {
      host: aHost({ founding: '1111111111111111111' }),
    }),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'records the cluster when the configuration has no bootstrap section',
    view: aView(holding(), unrecorded, primary(), founding, {
      settings: someSettings({ mayBootstrap: false }),
    }),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'tries post_bootstrap again after a failure',
    view: aView(holding(), unrecorded, primary(), founding),
    memory: failures(2),
    rule: 'R340',
    actions: [{ kind: 'finish-bootstrap' }],
  },
  {
    when: 'waits for an operator after three',
    view: aView(holding(), unrecorded, primary(), founding),
    memory: failures(3),
    rule: 'R340',
    waitsFor: /an operator/,
  },
  {
    when: 'records a bootstrap that was under way',
    view: aView(holding(), seen(ownRecord({ initialize: present('') }), 100), primary()),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'leads instead when the cluster is recorded',
    view: aView(holding(), primary(), { host: { ...promoted, founding: SYSTEM } }),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
  {
    when: 'writes over a key that nobody can read',
    view: aView(holding(), seen(ownRecord({ initialize: garbled() }), 100), primary()),
    rule: 'R340',
    actions: record,
  },
  {
    when: 'promotes instead while it is a standby',
    view: aView(holding(), unrecorded, standby()),
    rule: 'R320',
    actions: ['promote'],
  },
  {
    when: 'records nothing before Consul was read',
    view: aView(holding(), primary(), { cluster: undefined, observation: undefined }),
    rule: 'R350',
  },
]);
