import { decides } from '../../harness/rule-table.ts';
import { aView, ahead, command, down, holding, lapsed, standby } from '../../harness/views.ts';

const released = { release: { handoff: 'pg3', lsn: undefined, exclude: [] } };

decides([
  {
    when: 'starts nothing after a release was sent',
    view: aView(holding(released), down()),
    rule: 'R150',
    waitsFor: /answer of Consul/,
  },
  {
    when: 'stays so however much of the lease is left',
    view: aView(holding({ ...released, end: ahead(9_000_000) }), down()),
    rule: 'R150',
  },
  {
    when: 'does not promote a standby under a released lease',
    view: aView(holding(released), standby()),
    rule: 'R150',
  },
  {
    when: 'takes no commands meanwhile',
    view: aView(holding(released), down(), command({ kind: 'restart', timeoutMillis: undefined })),
    rule: 'R150',
  },
  {
    when: 'starts Postgres instead with a lease that was not released',
    view: aView(holding(), down()),
    rule: 'R310',
    actions: ['fence', 'start'],
  },
  {
    when: 'starts as a standby instead when the lease merely ended',
    view: aView(lapsed(), down()),
    rule: 'R520',
    actions: ['start'],
  },
]);
