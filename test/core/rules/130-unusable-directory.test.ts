import { decides } from '../../harness/rule-table.ts';
import {
  aHeldLease,
  aView,
  command,
  holding,
  observed,
  standby,
  withoutData,
} from '../../harness/views.ts';

const unusable = {
  kind: 'unusable',
  reason: 'data_dir is a file',
  remedy: 'move it away',
} as const;

decides([
  {
    when: 'does nothing to what it cannot read, and says what to do',
    view: aView(withoutData(unusable)),
    rule: 'R130',
    why: /data_dir is a file/,
    waitsFor: /move it away/,
  },
  {
    when: 'gives the lease to others, who may have data',
    view: aView(holding(), withoutData(unusable)),
    rule: 'R130',
    actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: ['pg2'] }],
  },
  {
    when: 'keeps silent when the lease is being released already',
    view: aView(withoutData(unusable), {
      held: aHeldLease({ release: { handoff: undefined, lsn: undefined, exclude: [] } }),
    }),
    rule: 'R130',
  },
  {
    when: 'does not stop a server that runs on it',
    view: aView(standby(), { directory: observed(unusable) }),
    rule: 'R530',
  },
  {
    when: 'lets the agent be stopped',
    view: aView(withoutData(unusable), command({ kind: 'shutdown' })),
    rule: 'R220',
    actions: [{ kind: 'leave' }],
  },
  {
    when: 'clones instead when the directory is absent',
    view: aView(withoutData()),
    rule: 'R510',
    actions: ['clone'],
  },
]);
