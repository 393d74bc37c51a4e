import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { ago, ahead, aView, holding, observed } from '../../harness/views.ts';

// 1. The primary has run for ten minutes, longer than primary_start_timeout.
// 2. One probe is not answered: the disk was busy for a second.
// 3. Silence counts from the last answer, not from the start of the postmaster.
const unanswered = (answeredAgoMillis: number): View =>
  aView(holding(), {
    postmaster: { kind: 'up', pid: 4242, startedAt: ago(600_000) },
    probe: observed({ kind: 'unreachable', reason: 'no answer within 1000 ms' }),
    answeredAt: ago(answeredAgoMillis),
  });

decides([
  {
    when: 'a primary that misses one probe is not killed, however long it has run',
    view: unanswered(1500),
    rule: 'R330',
    wakeAt: ahead(100),
  },
  {
    when: 'a primary that was silent for primary_start_timeout is given up',
    view: unanswered(300_001),
    rule: 'R330',
    actions: ['fence', 'release'],
  },
]);
