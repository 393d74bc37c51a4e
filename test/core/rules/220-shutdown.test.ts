import { decides } from '../../harness/rule-table.ts';
import { inMaintenance } from '../../harness/settings.ts';
import {
  aMemory,
  aView,
  ago,
  ahead,
  asked,
  command,
  down,
  holding,
  noAnswer,
  opinion,
  primary,
  silent,
  standby,
  withoutData,
} from '../../harness/views.ts';

const told = command({ kind: 'shutdown' });
const longAgo = command({ kind: 'shutdown' }, 60_000);
const GIVEN_AWAY = { handoff: undefined, lsn: undefined, exclude: [] };
const stop = (mode: 'fast' | 'immediate') => [{ kind: 'stop', mode } as const];

decides([
  {
    when: 'asks who can take over before the leader stops',
    view: aView(holding(), primary(), told),
    rule: 'R220',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'asks anew when the answers are older than the command',
    view: aView(holding(), primary(), told, {
      canvass: { askedAt: ago(50), finishedAt: ago(45), opinions: [opinion('pg3')] },
    }),
    rule: 'R220',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'waits for the answers',
    view: aView(holding(), primary(), told, {
      canvass: { askedAt: ago(30), finishedAt: undefined, opinions: [] },
    }),
    rule: 'R220',
  },
  {
    when: 'hands over to the best that can',
    view: aView(
      holding(),
      primary(),
      told,
      asked(
        opinion('pg1', { canTakeOver: { able: false, why: 'tagged nofailover' } }),
        opinion('pg3'),
      ),
    ),
    rule: 'R220',
    remembers: { handover: { commandId: 9, candidate: 'pg3', reason: 'shutdown' } },
  },
  {
    when: 'stops all the same when nobody can take over',
    view: aView(holding(), primary(), told, asked(noAnswer('pg1'), noAnswer('pg3'))),
    rule: 'R220',
    why: /nobody can take over/,
    remembers: { handover: { candidate: undefined } },
  },
  {
    when: 'releases the lease once Postgres is down',
    view: aView(holding(), down({ state: 'shut down' }), told),
    rule: 'R220',
    actions: [{ kind: 'release', handoff: undefined, lsn: undefined, exclude: [] }],
  },
  {
    when: 'stops a standby',
    view: aView(standby(), told),
    rule: 'R220',
    actions: stop('fast'),
  },
  {
    when: 'stops what does not answer',
    view: aView(silent(), told),
    rule: 'R220',
    actions: stop('fast'),
  },
  {
    when: 'is impatient after a minute',
    view: aView(standby(), longAgo),
    rule: 'R220',
    actions: stop('immediate'),
  },
  {
    when: 'leaves when all is down',
    view: aView(down(), told),
    rule: 'R220',
    actions: [{ kind: 'leave' }],
  },
  {
    when: 'waits for an answer to its release while the lease runs',
    view: aView(holding({ release: GIVEN_AWAY }), down(), longAgo),
    rule: 'R150',
    waitsFor: /answer of Consul/,
  },
  {
    when: 'leaves without an answer to its release once the lease has run out and is let go',
    view: aView(holding(), { held: undefined, lapsedId: 'g5' }, down(), longAgo),
    rule: 'R220',
    actions: [{ kind: 'leave' }],
  },
  {
    when: 'leaves a host without data at once',
    view: aView(withoutData(), told),
    rule: 'R220',
    actions: [{ kind: 'leave' }],
  },
  {
    when: 'ends a hand-over that has begun before it looks at the command',
    view: aView(holding(), primary(), told, {
      canvass: { askedAt: ago(400), finishedAt: ago(300), opinions: [opinion('pg3')] },
    }),
    memory: aMemory({
      handover: {
        commandId: 9,
        candidate: 'pg3',
        reason: 'shutdown',
        since: ago(500),
        drainedAt: undefined,
        checkpointed: true,
      },
    }),
    rule: 'R210',
    actions: stop('fast'),
  },
  { when: 'follows instead when nobody told it to stop', view: aView(standby()), rule: 'R530' },
  {
    when: 'leaves a paused leader as it is: Postgres and lease',
    view: aView(holding({ paused: true }), primary(), told, inMaintenance()),
    rule: 'R220',
    actions: [{ kind: 'leave', keep: true }],
    why: /left as they are/,
  },
  {
    when: 'leaves a standby running in maintenance mode',
    view: aView(standby(), told, inMaintenance()),
    rule: 'R220',
    actions: [{ kind: 'leave', keep: true }],
  },
  {
    when: 'lets the commits go that it holds before it leaves in maintenance mode',
    view: {
      ...aView(holding({ paused: true }), primary(), told, inMaintenance()),
      brake: 'frozen',
    },
    rule: 'R220',
    actions: [],
    why: /let go first/,
    wakeAt: ahead(20),
  },
  {
    when: 'does not leave in maintenance mode while the guardian keeps a deadline, whatever it was told',
    view: aView(holding({ paused: true }), primary(), told, inMaintenance(), {
      guarded: { leaseId: 'g5', paused: false },
    }),
    rule: 'R220',
    actions: [],
    why: /keeps a deadline/,
    waitsFor: /guardian to lift it/,
    wakeAt: ahead(50),
  },
  {
    when: 'does not leave a paused lease to a guardian that does not know it',
    view: aView(holding({ paused: true }), primary(), told, inMaintenance(), {
      guarded: undefined,
    }),
    rule: 'R220',
    actions: [],
    why: /keeps a deadline/,
  },
  {
    when: 'stops Postgres in order when that deadline stays',
    view: aView(holding({ paused: true }), primary(), inMaintenance(), {
      ...command({ kind: 'shutdown' }, 6000),
      guarded: { leaseId: 'g5', paused: false },
    }),
    rule: 'R220',
    actions: [{ kind: 'canvass' }],
  },
  {
    when: 'does not leave a standby under the deadline of a lease that it has lost',
    view: aView(standby(), told, inMaintenance(), { guarded: { leaseId: 'g4', paused: false } }),
    rule: 'R220',
    actions: [],
    why: /keeps a deadline/,
  },
  {
    when: 'does not release the lease of a leader that is down in maintenance mode',
    view: aView(holding({ paused: true }), down(), told, inMaintenance()),
    rule: 'R220',
    actions: [{ kind: 'leave', keep: true }],
  },
  {
    when: 'waits for the beat that makes a pause true',
    view: aView(holding(), primary(), told, inMaintenance()),
    rule: 'R220',
    why: /has not confirmed a heartbeat/,
    wakeAt: ahead(50),
  },
  {
    when: 'stops Postgres when that beat does not come',
    view: aView(holding(), primary(), command({ kind: 'shutdown' }, 6000), inMaintenance()),
    rule: 'R220',
    actions: [{ kind: 'canvass' }],
  },
]);
