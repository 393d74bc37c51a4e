import { decides } from '../../harness/rule-table.ts';
import {
  aView,
  down,
  seen,
  aRecord,
  released,
  silent,
  SILENCE_MILLIS,
  withoutData,
} from '../../harness/views.ts';

decides([
  {
    when: 'holds when a standby does not say what it is, and nobody leads',
    view: aView(silent(), seen(aRecord({ lease: released() }), 200)),
    rule: 'R900',
    why: /Postgres is unanswered/,
    waitsFor: /news of Postgres or Consul/,
  },
  {
    when: 'holds however long its leader is silent, while it does not know its own log',
    view: aView(silent(), seen(aRecord(), SILENCE_MILLIS)),
    rule: 'R900',
  },
  {
    when: 'says when Consul has not answered yet',
    view: aView(silent(), { cluster: undefined, observation: undefined }),
    rule: 'R900',
    why: /Consul has not answered yet/,
  },
  {
    when: 'rejoins instead when Postgres is down',
    view: aView(down()),
    rule: 'R520',
    actions: ['diagnose'],
  },
  {
    when: 'clones instead without data',
    view: aView(withoutData()),
    rule: 'R510',
    actions: ['clone'],
  },
]);
