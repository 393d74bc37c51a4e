import { decides } from '../../harness/rule-table.ts';
import {
  aMemory,
  aView,
  ago,
  ahead,
  holding,
  lapsed,
  primary,
  silent,
  standby,
} from '../../harness/views.ts';

const failed = { kind: 'promote', count: 1, lastAt: ago(20), code: 'test' } as const;
const giveUp = [
  { kind: 'fence', cause: 'promotion-failed' },
  { kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] },
] as const;

decides([
  {
    when: 'promotes the standby that holds the lease',
    view: aView(holding(), standby()),
    rule: 'R320',
    actions: [{ kind: 'promote' }],
  },
  {
    when: 'promotes with just enough of the lease left',
    view: aView(holding({ end: ahead(1500) }), standby()),
    rule: 'R320',
    actions: [{ kind: 'promote' }],
  },
  {
    when: 'does not promote with less than two heartbeats and a fence left',
    view: aView(holding({ end: ahead(1499) }), standby()),
    rule: 'R320',
    why: /ends in 1499 ms/,
    waitsFor: /next acknowledged heartbeat/,
  },
  {
    when: 'does not promote while nobody hears it: its first commits would be lost',
    view: aView(holding({ renewedAt: ago(1080), end: ahead(7000) }), standby()),
    rule: 'R320',
    why: /not renewed for 1080 ms/,
    waitsFor: /next acknowledged heartbeat/,
    wakeAt: ahead(100),
  },
  {
    when: 'promotes as long as commits would not be held',
    view: aView(holding({ renewedAt: ago(1079), end: ahead(7000) }), standby()),
    rule: 'R320',
    actions: [{ kind: 'promote' }],
  },
  {
    when: 'fences, releases and steps behind the others when the promotion failed',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: failed }),
    rule: 'R320',
    actions: giveUp,
    remembers: { failures: undefined, abstain: { until: ahead(6000), forMillis: 6000 } },
  },
  {
    when: 'steps back for twice as long each time',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: failed, abstain: { until: ago(1), forMillis: 6000 } }),
    rule: 'R320',
    actions: giveUp,
    remembers: { abstain: { until: ahead(12_000), forMillis: 12_000 } },
  },
  {
    when: 'steps back for a minute at most',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: failed, abstain: { until: ago(1), forMillis: 50_000 } }),
    rule: 'R320',
    actions: giveUp,
    remembers: { abstain: { until: ahead(60_000), forMillis: 60_000 } },
  },
  {
    when: 'waits for the next heartbeat when a promotion was put off for want of lease',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: { ...failed, code: 'lease-short', lastAt: ago(499) } }),
    rule: 'R320',
    waitsFor: /next acknowledged heartbeat/,
    wakeAt: ahead(1),
  },
  {
    when: 'tries again after it',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: { ...failed, code: 'lease-short', lastAt: ago(500) } }),
    rule: 'R320',
    actions: [{ kind: 'promote' }],
  },
  {
    when: 'tries again after it only with enough of the lease',
    view: aView(holding({ end: ahead(1499) }), standby()),
    memory: aMemory({ failures: { ...failed, code: 'lease-short', lastAt: ago(500) } }),
    rule: 'R320',
    why: /too soon/,
  },
  {
    when: 'gives up after twenty such tries',
    view: aView(holding(), standby()),
    memory: aMemory({ failures: { ...failed, code: 'lease-short', count: 21 } }),
    rule: 'R320',
    actions: giveUp,
  },
  {
    when: 'does not promote when the lease has ended',
    view: aView(lapsed(), standby()),
    rule: 'R590',
  },
  {
    when: 'waits instead for a server that does not answer',
    view: aView(holding(), silent()),
    rule: 'R330',
  },
  {
    when: 'leads instead when it is a primary already',
    view: aView(holding(), primary()),
    rule: 'R350',
    actions: ['write-history', 'reconcile-slots'],
  },
]);
