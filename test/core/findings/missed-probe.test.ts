import type { View } from '../../../src/core/view.ts';
import { decides } from '../../harness/rule-table.ts';
import { ago, ahead, asked, aView, holding, observed, opinion } from '../../harness/views.ts';

// 1. The primary has run for ten minutes, longer than primary_start_timeout.
// 2. One probe is not answered: the disk was busy for a second.
// 3. Silence counts from the last answer, not from the start of the postmaster.
const unanswered = (answeredAt: View['answeredAt'], ...parts: readonly Partial<View>[]): View =>
  aView(
    holding(),
    {
      postmaster: { kind: 'up', pid: 4242, startedAt: ago(600_000) },
      probe: observed({ kind: 'unreachable', reason: 'no answer within 1000 ms' }),
      answeredAt,
    },
    ...parts,
  );

decides([
  {
    when: 'a primary that misses one probe is not killed, however long it has run',
    view: unanswered(ago(1500)),
    rule: 'R330',
    wakeAt: ahead(100),
  },
  {
    when: 'nor is it killed when the one that missed is the first of a new process of the agent',
    view: unanswered(undefined, { startedAt: ago(1100) }),
    rule: 'R330',
    wakeAt: ahead(100),
  },
  {
    when: 'a primary that never answered this process is given up in the end',
    view: unanswered(undefined, { startedAt: ago(300_001) }, asked(opinion('pg1'))),
    rule: 'R330',
    actions: ['fence', 'release'],
  },
  {
    when: 'a primary that was silent for primary_start_timeout is given up',
    view: unanswered(ago(300_001), asked(opinion('pg1'))),
    rule: 'R330',
    actions: ['fence', 'release'],
  },
]);
