import { asked, opinion } from '../../harness/views.ts';
import { orphaned, takeover } from '../../harness/elections.ts';
import { decides } from '../../harness/rule-table.ts';

// 1. pg3 read heartbeat 9 of a leader that died; Consul was then restored to heartbeat 7.
// 2. pg2 reads 7, for ever: nothing will ever write 9 again.
// 3. pg3's word counts once: pg2 observes afresh, and then knows of 9 too.
const pg3 = asked(opinion('pg3', { newestBeat: { id: 'g5', beat: 9 } }));

decides([
  {
    when: 'a member that has read a newer heartbeat makes the others observe afresh',
    view: orphaned({}, pg3),
    rule: 'R410',
    actions: [{ kind: 'restart-observation', beat: { id: 'g5', beat: 9 } }],
  },
  {
    when: 'the same newer heartbeat does not keep the cluster without a leader for ever',
    view: orphaned({}, pg3, { newestBeat: { id: 'g5', beat: 9 } }),
    rule: 'R410',
    actions: takeover('lease-over'),
  },
  {
    when: 'a heartbeat that is newer still makes it observe afresh once more',
    view: orphaned({}, pg3, { newestBeat: { id: 'g5', beat: 8 } }),
    rule: 'R410',
    actions: ['restart-observation'],
  },
]);
